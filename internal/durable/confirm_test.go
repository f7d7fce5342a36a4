package durable_test

import (
	"testing"

	"popmigrate/internal/durable"
)

// BenchmarkConfirm is what each group of messages and each commit pay.
func BenchmarkConfirm(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		if err := durable.Confirm(durable.OS{}, dir); err != nil {
			b.Fatal(err)
		}
	}
}
