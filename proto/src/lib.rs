//! TiKV's and PD's wire: our own subset of their messages and services, and the code generated from
//! it.
//!
//! The `.proto` files under `proto/proto` keep TiKV's message names and field numbers, so that
//! stock clients understand us and we understand a real cluster. What a subset leaves out is
//! skipped when read (fields) or answered with `UNIMPLEMENTED` (calls). This crate knows nothing of
//! who speaks the wire.
#![allow(missing_docs, clippy::all, clippy::pedantic, rustdoc::all, reason = "generated code")]

macro_rules! generated {
    ($($module:ident = $package:literal: $doc:literal;)*) => {
        $(#[doc = $doc]
        pub mod $module {
            tonic::include_proto!($package);
        })*
    };
}

generated! {
    metapb = "metapb": "Stores, regions, peers.";
    errorpb = "errorpb": "Region errors.";
    kvrpcpb = "kvrpcpb": "Raw key-value requests and answers.";
    eraftpb = "eraftpb": "The kind of a membership change.";
    raft_serverpb = "raft_serverpb": "What stores send each other.";
    tikvpb = "tikvpb": "A store's service.";
    pdpb = "pdpb": "PD's service.";
    health = "grpc.health.v1": "The standard gRPC health service.";
}
