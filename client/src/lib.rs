//! Raw KV clients behind one trait, PD's admin API, and the fate of every error
