package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/tikv/client-go/v2/rawkv"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// smoke does every operation of the raw client once, and asks every store's health as client-go does by itself when a
// store does not answer.
func smoke(ctx context.Context, client *rawkv.Client, pd string) {
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
	// go-ycsb's scan has no end.
	found, _, err = client.Scan(ctx, []byte("go:batch:0490"), nil, 5)
	must(err, "scan without an end")
	expect(len(found) == 5 && string(found[4]) == "go:batch:0494", "scan without an end", found)
	back, _, err := client.ReverseScan(ctx, []byte("go:batch;"), []byte("go:batch:"), 3)
	must(err, "reverse scan")
	expect(len(back) == 3 && string(back[0]) == "go:batch:0499", "reverse scan", back)
	must(client.BatchDelete(ctx, keys[:10]), "batch delete")
	value, err = client.Get(ctx, keys[0])
	must(err, "get after batch delete")
	expect(value == nil, "get after batch delete", string(value))

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
	health(ctx, pd)
	fmt.Println("client-go: every answer as expected")
}

func health(ctx context.Context, pd string) {
	var answer struct {
		Stores []struct {
			Store struct {
				Address string `json:"address"`
			} `json:"store"`
		} `json:"stores"`
	}
	response, err := http.Get("http://" + pd + "/pd/api/v1/stores")
	must(err, "ask PD for the stores")
	defer response.Body.Close()
	must(json.NewDecoder(response.Body).Decode(&answer), "read PD's stores")
	addresses := []string{pd}
	for _, store := range answer.Stores {
		addresses = append(addresses, store.Store.Address)
	}
	expect(len(addresses) > 1, "stores", addresses)
	for _, address := range addresses {
		connection, err := grpc.DialContext(ctx, address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		must(err, "connect to "+address)
		defer connection.Close()
		request := &grpc_health_v1.HealthCheckRequest{}
		said, err := grpc_health_v1.NewHealthClient(connection).Check(ctx, request)
		must(err, "health of "+address)
		expect(said.Status == grpc_health_v1.HealthCheckResponse_SERVING, "health of "+address, said.Status)
	}
}
