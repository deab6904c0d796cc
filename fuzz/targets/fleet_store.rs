//! See `raincheck_fuzz::fleet_store`.
#![cfg_attr(fuzzing, no_main)]

raincheck_fuzz::target!(raincheck_fuzz::fleet_store);
