//go:build linux

package bench

import (
	"flag"
	"fmt"
	"testing"
)

var hold = flag.Int("hold", 0, "start Dovecot with so many letters of 5 KB and wait to be ended")

func TestHold(t *testing.T) {
	if *hold == 0 {
		t.Skip("for measuring by hand")
	}
	d, _ := dovecot(t, *hold, 5000)
	j := job{source: clear(d.Addr), accounts: []string{"alice"}, sink: mboxPlain}
	fmt.Println(j.write(t))
	name, _ := program()
	fmt.Println(name)
	<-t.Context().Done()
}
