package main

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
)

// subset says which copies are read.
type subset struct {
	share       float64 // of all, picked at random; 0 where a part or all is read
	part, parts uint64
}

var errSubset = errors.New(`want a share such as 5%, or N/T with N from 1 to T`)

func parseSubset(s string) (subset, error) {
	if s == "" {
		return subset{}, nil
	}
	if percent, ok := strings.CutSuffix(s, "%"); ok {
		share, err := strconv.ParseFloat(percent, 64)
		if err != nil || !(share > 0 && share <= 100) {
			return subset{}, errSubset
		}
		return subset{share: share / 100}, nil
	}
	n, t, ok := strings.Cut(s, "/")
	part, err := strconv.ParseUint(n, 10, 32)
	parts, err2 := strconv.ParseUint(t, 10, 32)
	if !ok || err != nil || err2 != nil || part < 1 || part > parts {
		return subset{}, errSubset
	}
	return subset{part: part, parts: parts}, nil
}

// has tells whether a copy belongs to the subset. Parts are the same in every
// run, whatever was stored meanwhile.
func (s subset) has(name string, ordinal int64) bool {
	switch {
	case s.parts > 0:
		h := fnv.New64a()
		fmt.Fprintf(h, "%s\x00%d", name, ordinal)
		return h.Sum64()%s.parts == s.part-1
	case s.share > 0:
		return rand.Float64() < s.share
	}
	return true
}
