// Judges one of our histories with Porcupine: the yardstick of bench/src/table.rs.
//
// In: a history file of single-key operations (get, put, delete, cas), and how many seconds it may take. Out: one line of JSON: the verdict, the seconds
// that judging took once the history was in memory, and the peak of memory. Every key is a register of its own. A read
// of unknown outcome is left out, a write of unknown outcome returns after everything else, as Porcupine wants it.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/anishathalye/porcupine"
)

type line struct {
	Time    int64           `json:"time"`
	Process json.RawMessage `json:"process"`
	Type    string          `json:"type"`
	F       string          `json:"f"`
	Key     string          `json:"key"`
	Value   json.RawMessage `json:"value"`
}

type cas struct {
	Expected *string         `json:"expected"`
	New      string          `json:"new"`
	Swapped  bool            `json:"swapped"`
	Previous json.RawMessage `json:"previous"`
}

type input struct {
	f        string
	key      string
	value    string
	expected *string
}

type output struct {
	unknown bool
	swapped bool
	said    bool
	value   *string
}

// The state is a value, or "" for absence: values are put behind a mark.
func state(value *string) string {
	if value == nil {
		return ""
	}
	return "=" + *value
}

var model = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[string][]porcupine.Operation{}
		for _, operation := range history {
			key := operation.Input.(input).key
			byKey[key] = append(byKey[key], operation)
		}
		var partitions [][]porcupine.Operation
		for _, operations := range byKey {
			partitions = append(partitions, operations)
		}
		return partitions
	},
	Init: func() any { return "" },
	Hash: func(state any) uint64 {
		hash := uint64(14695981039346656037)
		for _, b := range []byte(state.(string)) {
			hash = (hash ^ uint64(b)) * 1099511628211
		}
		return hash
	},
	Step: func(now, in, out any) (bool, any) {
		s, i, o := now.(string), in.(input), out.(output)
		switch i.f {
		case "put":
			return true, "=" + i.value
		case "delete":
			return true, ""
		case "get":
			return s == state(o.value), s
		}
		fits := s == state(i.expected)
		if o.unknown {
			if fits {
				return true, "=" + i.value
			}
			return true, s
		}
		if fits != o.swapped || o.said && s != state(o.value) {
			return false, s
		}
		if fits {
			return true, "=" + i.value
		}
		return true, s
	},
}

func main() {
	file, err := os.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	history := read(file)
	begun, before := time.Now(), usage()
	limit := time.Duration(0) // none
	if len(os.Args) > 2 {
		seconds, err := strconv.Atoi(os.Args[2])
		must(err)
		limit = time.Duration(seconds) * time.Second
	}
	result := porcupine.CheckOperationsTimeout(model, history, limit)
	seconds, after := time.Since(begun).Seconds(), usage()
	verdict := map[porcupine.CheckResult]string{
		porcupine.Ok: "valid", porcupine.Illegal: "invalid", porcupine.Unknown: "unknown",
	}[result]
	fmt.Printf("{\"verdict\":%q,\"seconds\":[%g],\"processor_seconds\":[%g],\"peak_bytes\":%d}\n",
		verdict, seconds, processor(after)-processor(before), after.Maxrss*1024)
}

func usage() (usage syscall.Rusage) {
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return usage
}

func processor(usage syscall.Rusage) float64 {
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func read(file *os.File) []porcupine.Operation {
	var history []porcupine.Operation
	open := map[string]int{}
	clients := map[string]int{}
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, 1<<20), 1<<28)
	lines.Scan() // the header
	for lines.Scan() {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			panic(err)
		}
		process := string(l.Process)
		if process == `"nemesis"` {
			continue
		}
		if _, known := clients[process]; !known {
			clients[process] = len(clients)
		}
		if l.Type == "invoke" {
			open[process] = len(history)
			history = append(history, porcupine.Operation{
				ClientId: clients[process], Input: invoked(l), Call: l.Time,
				Output: output{unknown: true}, Return: math.MaxInt64,
			})
			continue
		}
		operation := &history[open[process]]
		if l.Type == "ok" {
			operation.Return = l.Time
			operation.Output = answered(l)
		} else if l.Type == "fail" {
			panic("an operation that failed: this yardstick has no use for it")
		}
	}
	kept := history[:0]
	for _, operation := range history {
		if operation.Input.(input).f != "get" || !operation.Output.(output).unknown {
			kept = append(kept, operation)
		}
	}
	return kept
}

func invoked(l line) input {
	i := input{f: l.F, key: l.Key}
	switch l.F {
	case "put":
		must(json.Unmarshal(l.Value, &i.value))
	case "cas":
		var c cas
		must(json.Unmarshal(l.Value, &c))
		i.expected, i.value = c.Expected, c.New
	}
	return i
}

func answered(l line) output {
	var o output
	switch l.F {
	case "get":
		must(json.Unmarshal(l.Value, &o.value))
	case "cas":
		var c cas
		must(json.Unmarshal(l.Value, &c))
		o.swapped, o.said = c.Swapped, c.Previous != nil
		if o.said {
			must(json.Unmarshal(c.Previous, &o.value))
		}
	}
	return o
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
