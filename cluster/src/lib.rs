//! The embedded cluster: a small TiKV of stores and a PD over real Raft
