package pop3test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// step is one line of a script.
type step struct {
	line   int // in the script, counted from 1
	kind   stepKind
	octets []byte
	early  bool // a client's line that may come while replies are unread
}

type stepKind int

const (
	serverSays stepKind = iota
	clientSays
	closes
	resets
	stalls
)

// parseScript reads the notation that Play explains. The last step is always
// one that ends the conversation.
func parseScript(script string) ([]step, error) {
	var steps []step
	number := 0
	for text := range strings.Lines(script) {
		number++
		text = strings.TrimLeft(strings.TrimRight(text, "\r\n"), " \t")
		if text == "" || text[0] == '#' {
			continue
		}
		if len(steps) > 0 && steps[len(steps)-1].kind > clientSays {
			return nil, fmt.Errorf("script line %d: nothing can follow the end", number)
		}
		s, err := parseStep(text)
		if err != nil {
			return nil, fmt.Errorf("script line %d: %w", number, err)
		}
		s.line = number
		steps = append(steps, s)
	}
	if len(steps) == 0 || steps[len(steps)-1].kind <= clientSays {
		steps = append(steps, step{line: number, kind: closes})
	}
	return steps, nil
}

func parseStep(text string) (step, error) {
	switch text {
	case "close":
		return step{kind: closes}, nil
	case "reset":
		return step{kind: resets}, nil
	case "stall":
		return step{kind: stalls}, nil
	}
	var s step
	rest := ""
	switch {
	case strings.HasPrefix(text, "S"):
		rest = text[len("S"):]
	case strings.HasPrefix(text, "C+"):
		s.kind, s.early, rest = clientSays, true, text[len("C+"):]
	case strings.HasPrefix(text, "C"):
		s.kind, rest = clientSays, text[len("C"):]
	}
	switch {
	case strings.HasPrefix(rest, ":"):
		s.octets = []byte(strings.TrimPrefix(rest[1:], " ") + "\r\n")
		return s, nil
	case strings.HasPrefix(rest, "~"):
		octets, err := parseOctets(strings.TrimSpace(rest[1:]))
		s.octets = octets
		return s, err
	}
	return s, fmt.Errorf("cannot read %q", text)
}

// parseOctets reads a Go string literal and the number of times it is said:
// "x" * 100000.
func parseOctets(text string) ([]byte, error) {
	literal, err := strconv.QuotedPrefix(text)
	if err != nil {
		return nil, fmt.Errorf("cannot read octets %s: want a quoted string", text)
	}
	octets, err := strconv.Unquote(literal)
	if err != nil {
		return nil, fmt.Errorf("cannot read octets %s: %w", literal, err)
	}
	times := strings.TrimSpace(text[len(literal):])
	if times == "" {
		return []byte(octets), nil
	}
	count, found := strings.CutPrefix(times, "*")
	n, err := strconv.Atoi(strings.TrimSpace(count))
	if !found || err != nil || n < 0 || n > 1<<30/max(len(octets), 1) {
		return nil, fmt.Errorf("cannot read %q: want * and how many times", times)
	}
	return bytes.Repeat([]byte(octets), n), nil
}
