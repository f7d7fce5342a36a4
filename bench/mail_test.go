package bench

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
)

// words are what letters are made of: a vocabulary of which some words are
// frequent, so that text compresses about as text does.
var words = func() []string {
	r := rand.New(rand.NewPCG(1, 2))
	all := make([]string, 4000)
	for i := range all {
		var w strings.Builder
		for range 2 + r.IntN(9) {
			w.WriteByte("etaoinshrdlucmfwypvbgkjqxz"[min(r.IntN(26), r.IntN(26))])
		}
		all[i] = w.String()
	}
	return all
}()

// letter returns a message of about so many octets in wire form: text, or, if
// it is large, a letter with an attachment in base64.
func letter(seed, octets int) []byte {
	r := rand.New(rand.NewPCG(uint64(seed), 7))
	var b strings.Builder
	fmt.Fprintf(&b, "Return-Path: <sender%d@example.org>\r\nReceived: from mx%d.example.org by pop.example.net with ESMTP id %x;\r\n\tMon, 02 Nov 2026 10:%02d:%02d +0000\r\n"+
		"From: Sender %d <sender%d@example.org>\r\nTo: alice@example.net\r\nSubject: letter %d\r\nMessage-ID: <%x.%d@example.org>\r\n"+
		"Date: Mon, 02 Nov 2026 10:%02d:%02d +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
		seed%100, seed%7, r.Uint64(), seed/60%60, seed%60, seed%100, seed%100, seed, r.Uint64(), seed, seed/60%60, seed%60)
	if octets > 100_000 {
		raw := make([]byte, 57)
		for b.Len() < octets {
			for i := range raw {
				raw[i] = byte(r.Uint32())
			}
			b.WriteString(base64.StdEncoding.EncodeToString(raw))
			b.WriteString("\r\n")
		}
		return []byte(b.String())
	}
	column := 0
	for b.Len() < octets {
		w := words[min(r.IntN(len(words)), r.IntN(len(words)))]
		if column+len(w) > 70 {
			b.WriteString("\r\n")
			column = 0
		}
		b.WriteString(w)
		b.WriteByte(' ')
		column += len(w) + 1
	}
	b.WriteString("\r\n")
	return []byte(b.String())
}
