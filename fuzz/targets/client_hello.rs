//! See `raincheck_fuzz::client_hello`.
#![cfg_attr(fuzzing, no_main)]

raincheck_fuzz::target!(raincheck_fuzz::client_hello);
