//! The embedded cluster as its users have it: whole processes, stock clients, and what survives a
//! kill.

mod cluster;
mod down_store;
mod durability;
mod full_disk;
mod stock_clients;
