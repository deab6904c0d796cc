//! See `raincheck_fuzz::ticket_open`.
#![cfg_attr(fuzzing, no_main)]

raincheck_fuzz::target!(raincheck_fuzz::ticket_open);
