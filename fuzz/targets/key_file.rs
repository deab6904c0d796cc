//! See `raincheck_fuzz::key_file`.
#![cfg_attr(fuzzing, no_main)]

raincheck_fuzz::target!(raincheck_fuzz::key_file);
