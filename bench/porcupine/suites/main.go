// How long Porcupine takes for the suites of other checkers, all histories of a folder together, in memory.
//
//	go run -mod=mod ./suites FOLDER log nil    the text logs of Porcupine's own suite; the register is empty at first
//	go run -mod=mod ./suites FOLDER edn 0      Knossos' cas-register; its first value is 0
//
// In: a folder, its format and the register's first value. Out: a line for each of five rounds. The formats are read as
// their own projects read them; a call without a return returns at the end, as unknown. `cargo bench -p checker
// --bench suites` measures our engines on the same files.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"
)

type input struct{ f, a, b string }
type output struct {
	unknown, ok bool
	value       string
}

var model = func(initial string) porcupine.Model {
	return porcupine.Model{
		Init: func() interface{} { return initial },
		Step: func(state, in, out interface{}) (bool, interface{}) {
			s, i, o := state.(string), in.(input), out.(output)
			switch i.f {
			case "read":
				return o.unknown || o.value == s, s
			case "write":
				return true, i.a
			default:
				hit := s == i.a
				if o.unknown {
					if hit {
						return true, i.b
					}
					return true, s
				}
				if o.ok != hit {
					return false, s
				}
				if hit {
					return true, i.b
				}
				return true, s
			}
		},
	}
}

var line = regexp.MustCompile(`jepsen\.util - (\d+)\s+:(\w+)\s+:(\w+)\s+(.*)`)
var edn = regexp.MustCompile(`\{[^{}]*\}`)
var field = map[string]*regexp.Regexp{
	"process": regexp.MustCompile(`:process\s+(\d+)`),
	"type":    regexp.MustCompile(`:type\s+:(\w+)`),
	"f":       regexp.MustCompile(`:f\s+:(\w+)`),
	"value":   regexp.MustCompile(`:value\s+(\[[^\]]*\]|[^\s,}]+)`),
}
var pair = regexp.MustCompile(`\[(\S+) (\S+)\]`)

func load(path string, isEdn bool) []porcupine.Event {
	text, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	re := line
	if isEdn {
		re = edn
	}
	type raw struct{ p, t, f, v string }
	var raws []raw
	if isEdn {
		for _, m := range re.FindAllSubmatch(text, -1) {
			get := func(name string) string {
				if f := field[name].FindSubmatch(m[0]); f != nil {
					return string(f[1])
				}
				return ""
			}
			if get("process") != "" {
				raws = append(raws, raw{get("process"), get("type"), get("f"), get("value")})
			}
		}
	} else {
		for _, l := range bytes.Split(text, []byte("\n")) {
			if m := re.FindSubmatch(l); m != nil {
				raws = append(raws, raw{string(m[1]), string(m[2]), string(m[3]), string(bytes.TrimSpace(m[4]))})
			}
		}
	}
	type pending struct {
		id   int
		in   input
		inv  int
		drop bool
		done bool
	}
	var calls []*pending
	open := map[string]*pending{}
	type ret struct {
		id  int
		out output
	}
	returns := map[int]ret{}
	for at, r := range raws {
		switch r.t {
		case "invoke":
			p := &pending{id: len(calls), in: input{f: r.f, a: r.v}, inv: at}
			if m := pair.FindStringSubmatch(r.v); r.f == "cas" && m != nil {
				p.in.a, p.in.b = m[1], m[2]
			}
			calls = append(calls, p)
			open[r.p] = p
		case "ok", "fail":
			p := open[r.p]
			delete(open, r.p)
			p.done = true
			if r.t == "fail" && (isEdn || r.f != "cas") {
				p.drop = true
			}
			if isEdn && r.f == "read" && r.v == "nil" {
				p.drop = true
			}
			returns[at] = ret{p.id, output{ok: r.t == "ok", value: r.v}}
		case "info":
			delete(open, r.p)
		}
	}
	var events []porcupine.Event
	byInv := map[int]*pending{}
	for _, p := range calls {
		byInv[p.inv] = p
	}
	for at := range raws {
		if p := byInv[at]; p != nil && !p.drop {
			events = append(events, porcupine.Event{Kind: porcupine.CallEvent, Value: p.in, Id: p.id})
		}
		if r, is := returns[at]; is && !calls[r.id].drop {
			events = append(events, porcupine.Event{Kind: porcupine.ReturnEvent, Value: r.out, Id: r.id})
		}
	}
	for _, p := range calls {
		if !p.done {
			events = append(events, porcupine.Event{Kind: porcupine.ReturnEvent, Value: output{unknown: true}, Id: p.id})
		}
	}
	return events
}

func main() {
	dir, isEdn, initial := os.Args[1], os.Args[2] == "edn", os.Args[3]
	pattern := "*.log"
	if isEdn {
		pattern = "*.edn"
	}
	files, _ := filepath.Glob(filepath.Join(dir, pattern))
	if len(files) == 0 {
		files, _ = filepath.Glob(filepath.Join(dir, "*"))
	}
	sort.Strings(files)
	var histories [][]porcupine.Event
	n := 0
	for _, f := range files {
		h := load(f, isEdn)
		n += len(h)
		histories = append(histories, h)
	}
	for round := 0; round < 5; round++ {
		begun := time.Now()
		valid, worst, worstFile := 0, time.Duration(0), ""
		for i, h := range histories {
			b := time.Now()
			if porcupine.CheckEvents(model(initial), h) {
				valid++
			}
			if d := time.Since(b); d > worst {
				worst, worstFile = d, filepath.Base(files[i])
			}
		}
		fmt.Printf("%d files, %d events, %d valid: %v (worst %s %v)\n", len(files), n, valid, time.Since(begun), worstFile, worst)
	}
}
