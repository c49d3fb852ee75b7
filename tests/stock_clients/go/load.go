package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/tikv/client-go/v2/rawkv"
)

// load writes while the cluster is hurt, until stdin ends; then it reads every acknowledged key back. Every key is
// written once, so that a put which the client repeats by itself does no harm.
func load(client *rawkv.Client) {
	var stopped atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stopped.Store(true)
	}()
	var acknowledged []string
	failed := 0
	for number := 0; !stopped.Load(); number++ {
		key := fmt.Sprintf("stock:go:%07d", number)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		err := client.Put(ctx, []byte(key), []byte("v"+key))
		cancel()
		if err != nil {
			failed++
			continue
		}
		acknowledged = append(acknowledged, key)
		if len(acknowledged)%10 == 0 {
			fmt.Printf("acknowledged %d\n", len(acknowledged))
		}
	}
	lost := 0
	for _, key := range acknowledged {
		ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
		value, err := client.Get(ctx, []byte(key))
		cancel()
		must(err, "read back "+key)
		if string(value) != "v"+key {
			lost++
			fmt.Fprintf(os.Stderr, "%s has %q\n", key, value)
		}
	}
	fmt.Printf("client-go: %d acknowledged, %d not, %d lost\n", len(acknowledged), failed, lost)
	if lost > 0 {
		os.Exit(1)
	}
}
