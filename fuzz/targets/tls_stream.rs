//! See `raincheck_fuzz::tls_stream`.
#![cfg_attr(fuzzing, no_main)]

raincheck_fuzz::target!(raincheck_fuzz::tls_stream);
