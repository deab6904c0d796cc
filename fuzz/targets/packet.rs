//! See `raincheck_fuzz::packet`.
#![cfg_attr(fuzzing, no_main)]

raincheck_fuzz::target!(raincheck_fuzz::packet);
