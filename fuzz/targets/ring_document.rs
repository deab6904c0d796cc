//! See `raincheck_fuzz::ring_document`.
#![cfg_attr(fuzzing, no_main)]

raincheck_fuzz::target!(raincheck_fuzz::ring_document);
