//! See `raincheck_fuzz::capture_whole`.
#![cfg_attr(fuzzing, no_main)]

raincheck_fuzz::target!(raincheck_fuzz::capture_whole);
