// Drives a cluster with client-go's raw client, as a Go program would: put, get, batch, scan, compare-and-swap,
// delete. Prints one line and exits with 0 if every answer was the expected one.
//
//	go run . 127.0.0.1:2379
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/tikv/client-go/v2/config"
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
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: go run . PD_ADDRESS...")
		os.Exit(64)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	client, err := rawkv.NewClient(ctx, os.Args[1:], config.Security{})
	must(err, "connect")
	defer client.Close()

	must(client.Put(ctx, []byte("go:a"), []byte("1")), "put")
	value, err := client.Get(ctx, []byte("go:a"))
	must(err, "get")
	expect(string(value) == "1", "get after put", string(value))

	var keys, values [][]byte
	for i := range 500 {
		keys = append(keys, fmt.Appendf(nil, "go:batch:%04d", i))
		values = append(values, fmt.Appendf(nil, "v%d", i))
	}
	must(client.BatchPut(ctx, keys, values), "batch put")
	got, err := client.BatchGet(ctx, keys)
	must(err, "batch get")
	for i := range got {
		expect(string(got[i]) == string(values[i]), "batch get", string(got[i]))
	}
	found, _, err := client.Scan(ctx, []byte("go:batch:"), []byte("go:batch;"), 1000)
	must(err, "scan")
	expect(len(found) == 500, "scan", len(found))
	back, _, err := client.ReverseScan(ctx, []byte("go:batch;"), []byte("go:batch:"), 3)
	must(err, "reverse scan")
	expect(len(back) == 3 && string(back[0]) == "go:batch:0499", "reverse scan", back)

	client.SetAtomicForCAS(true)
	previous, swapped, err := client.CompareAndSwap(ctx, []byte("go:a"), []byte("1"), []byte("2"))
	must(err, "compare and swap")
	expect(swapped && string(previous) == "1", "compare and swap", string(previous))
	previous, swapped, err = client.CompareAndSwap(ctx, []byte("go:a"), []byte("1"), []byte("3"))
	must(err, "compare and swap of an old value")
	expect(!swapped && string(previous) == "2", "compare and swap of an old value", string(previous))

	must(client.DeleteRange(ctx, []byte("go:"), []byte("go;")), "delete range")
	value, err = client.Get(ctx, []byte("go:a"))
	must(err, "get after delete")
	expect(value == nil, "get after delete", string(value))
	fmt.Println("client-go: every answer as expected")
}
