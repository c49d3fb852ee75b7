// Drives a cluster with client-go's raw client, as Go programs (go-ycsb among them) do.
//
//	go run . smoke 127.0.0.1:2379    every operation once; exit code 0 if every answer was the expected one
//	go run . load 127.0.0.1:2379     puts until stdin ends, then reads back what was acknowledged
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/pingcap/kvproto/pkg/kvrpcpb"
	"github.com/tikv/client-go/v2/rawkv"
)

func must(err error, what string) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}

func expect(ok bool, what string, got any) {
	if !ok {
		fmt.Fprintf(os.Stderr, "%s: got %v\n", what, got)
		os.Exit(1)
	}
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: go run . smoke|load PD_ADDRESS...")
		os.Exit(64)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	// As go-ycsb connects.
	client, err := rawkv.NewClientWithOpts(ctx, os.Args[2:], rawkv.WithAPIVersion(kvrpcpb.APIVersion_V1))
	must(err, "connect")
	defer client.Close()
	switch os.Args[1] {
	case "smoke":
		smoke(ctx, client, os.Args[2])
	case "load":
		load(client)
	default:
		expect(false, "the first argument is smoke or load", os.Args[1])
	}
}
