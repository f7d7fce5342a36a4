package kerberos

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func file(t testing.TB, name string) []byte {
	t.Helper()
	octets, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return octets
}

// testdata/alice.ccache is what kinit and kvno of MIT 1.20.1 wrote: a ticket
// for the KDC, one for pop/localhost, and notes that are no tickets.
func TestCache(t *testing.T) {
	whole := file(t, "alice.ccache")
	c, err := parseCache(whole)
	if err != nil {
		t.Fatal(err)
	}
	if c.principal.String() != "alice@REAL.TEST" || len(c.entries) != 2 {
		t.Fatalf("principal %s, %d entries", c.principal, len(c.entries))
	}
	entry := c.find(principal{[]string{"pop", "localhost"}, "REAL.TEST"})
	if entry == nil || entry.key.KeyType != 18 || len(entry.key.KeyValue) != 32 || entry.end.Year() != 2026 || len(entry.ticket) < 100 {
		t.Fatalf("pop: %+v", entry)
	}
	if c.find(principal{[]string{"imap", "localhost"}, "REAL.TEST"}) != nil {
		t.Error("found what is not there")
	}
	// Cut anywhere, it is either refused or ends between two entries.
	complete := 0
	for n := range len(whole) {
		if _, err := parseCache(whole[:n]); err == nil {
			complete++
		} else if !errors.Is(err, errCacheShort) {
			t.Errorf("%d octets: %v", n, err)
		}
	}
	if complete < 2 || complete > 8 {
		t.Errorf("%d cuts were taken for whole files", complete)
	}
	for _, foreign := range []string{"\x05\x01", "\x05\x09", "#!/bin/sh", "\x05\x02........"} {
		if _, err := parseCache([]byte(foreign)); err == nil {
			t.Errorf("%q was taken", foreign)
		}
	}
}

// Of two tickets for a service the one that lasts longer is used: kinit -R
// adds, and does not replace.
func TestCacheLongest(t *testing.T) {
	who := principal{[]string{"pop", "h"}, "R"}
	at := time.Unix(1e9, 0)
	c := &cache{entries: []cacheEntry{{server: who, end: at}, {server: who, end: at.Add(time.Hour)}, {server: who, end: at.Add(time.Minute)}}}
	if got := c.find(who); !got.end.Equal(at.Add(time.Hour)) {
		t.Errorf("got %v", got.end)
	}
}

func TestCacheNames(t *testing.T) {
	for name, want := range map[string]string{
		"FILE:/tmp/x": "/tmp/x", "/tmp/x": "/tmp/x", "WRFILE:x": "x", `C:\x`: `C:\x`, "x": "x",
		"KCM:": "", "KEYRING:persistent:0": "", "DIR:/x": "", "API:1": "", "MEMORY:": "", "MSLSA:": "",
	} {
		got, err := cachePath(name)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if err != nil && (!strings.Contains(err.(*Error).Remedy, "kinit -c FILE:") || !strings.Contains(err.Error(), strings.SplitN(name, ":", 2)[0])) {
			t.Errorf("%s: %v; %s", name, err, err.(*Error).Remedy)
		}
	}
	s := &settings{profile: profile{}}
	if got := s.defaultCache(func(string) string { return "FILE:/a" }); got != "FILE:/a" {
		t.Errorf("got %s", got)
	}
	s.profile["libdefaults/default_ccache_name"] = []string{"KEYRING:persistent:%{uid}"}
	none := func(string) string { return "" }
	if got := s.defaultCache(none); !strings.HasPrefix(got, "KEYRING:persistent:") || strings.Contains(got, "%") {
		t.Errorf("got %s", got)
	}
	delete(s.profile, "libdefaults/default_ccache_name")
	if got := s.defaultCache(none); runtime.GOOS != "windows" && !strings.HasPrefix(got, "FILE:/tmp/krb5cc_") {
		t.Errorf("got %s", got)
	}
}

// What gives other parsers trouble: nested blocks, includes, a brace on its own
// line, comments, values in quotes, words that are no booleans.
const oddProfile = `
# comment
; comment
includedir @DIR@/krb5.conf.d/

[libdefaults]
	default_realm = "EXAMPLE.NET"
    dns_canonicalize_hostname = fallback
    rdns = nil
    dns_lookup_kdc = yes
    permitted_enctypes = aes256-sha2 aes128-cts,des-cbc-crc
[realms]
 EXAMPLE.NET = {
  kdc = kdc1.example.net
  kdc = tcp/kdc2.example.net:750
  kdc = [2001:db8::1]:88
  kdc = https://proxy.example.net/KdcProxy
  auth_to_local_names = {
    kdc = not.a.kdc
  }
  v4_name_convert = { host = { rcmd = host } }
  master_kdc = kdc1.example.net
 }
 OTHER.NET =
 {
  kdc = kdc.other.net*
 }
 WEB.NET = {
  kdc = https://proxy.example.net/KdcProxy
 }
[domain_realm]
 .example.net = EXAMPLE.NET
 example.net = EXAMPLE.NET
 odd.example.net = OTHER.NET
[appdefaults]
 pam = {
   debug = false
 }
`

func TestProfile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("krb5.conf.d/more", "[realms]\nMORE.NET = {\nkdc = more.net\n}\n")
	write("krb5.conf.d/skipped~", "garbage\n")
	write("krb5.conf.d/.hidden.conf", "garbage\n")
	path := write("krb5.conf", strings.ReplaceAll(oddProfile, "@DIR@", dir))
	s, err := readSettings(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.defaultRealm() != "EXAMPLE.NET" || !slices.Equal(s.enctypes, []int32{20, 17}) {
		t.Errorf("realm %s, enctypes %v", s.defaultRealm(), s.enctypes)
	}
	for realm, want := range map[string]string{
		"EXAMPLE.NET": "kdc1.example.net:88 kdc2.example.net:750 [2001:db8::1]:88",
		"OTHER.NET":   "kdc.other.net:88", "MORE.NET": "more.net:88",
	} {
		if got, err := s.kdcs(t.Context(), realm); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %v, %v", realm, got, err)
		}
	}
	if _, err := s.kdcs(t.Context(), "WEB.NET"); err == nil || !strings.Contains(err.Error(), "HTTPS") {
		t.Errorf("WEB.NET: %v", err)
	}
	for host, want := range map[string]string{"example.net": "EXAMPLE.NET", "a.b.example.net.": "EXAMPLE.NET", "ODD.example.net": "OTHER.NET", "example.org": ""} {
		if got := s.realmOf(host); got != want {
			t.Errorf("%s: %q", host, got)
		}
	}
	for _, wrong := range []string{"[libdefaults\n", "x = y\n", "[realms]\n}\n", "[realms]\nwhat\n", "include /none/such\n", "[libdefaults]\npermitted_enctypes = des-cbc-crc\n"} {
		if _, err := readSettings(write("wrong.conf", wrong), nil); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
	self := filepath.Join(dir, "self.conf")
	write("self.conf", "include "+self+"\n")
	if _, err := readSettings(self, nil); err == nil || !strings.Contains(err.Error(), "nest") {
		t.Errorf("includes itself: %v", err)
	}
	list := strings.Join([]string{write("first.conf", "[libdefaults]\ndefault_realm = FIRST\n"), path}, string(filepath.ListSeparator))
	if s, err := readSettings("", func(string) string { return list }); err != nil || s.defaultRealm() != "FIRST" || s.realmOf("example.net") != "EXAMPLE.NET" {
		t.Errorf("KRB5_CONFIG: %v, %v", s, err)
	}
}

func TestPrincipal(t *testing.T) {
	for text, want := range map[string]string{
		"alice": "alice@R", "alice@X": "alice@X", "pop/h@X": "pop/h@X", `a\@b@X`: "a@b@X", "a@X/Y": "a@X/Y",
		"": "", "@X": "", "a//b": "", "a@b@c": "", "a\nb": "", "a/": "",
	} {
		p, err := parsePrincipal(text, "R")
		if (err == nil) != (want != "") || err == nil && p.String() != want {
			t.Errorf("%q: %s, %v", text, p, err)
		}
	}
}

// testdata/alice.keytab is what ktadd of MIT 1.20.1 wrote.
func TestKeytab(t *testing.T) {
	k, err := readKeytab("testdata/alice.keytab")
	if err != nil {
		t.Fatal(err)
	}
	alice := principal{[]string{"alice"}, "REAL.TEST"}
	if have, err := k.enctypes(alice, []int32{20, 17, 18}); err != nil || !slices.Equal(have, []int32{17, 18}) {
		t.Errorf("%v, %v", have, err)
	}
	if key, err := k.key(alice, 18, 1, nil); err != nil || len(key.KeyValue) != 32 {
		t.Errorf("%d octets, %v", len(key.KeyValue), err)
	}
	for name, c := range map[string]struct {
		call  func() error
		words string
	}{
		"version":   {func() error { _, err := k.key(alice, 18, 7, nil); return err }, "key version 7 of alice@REAL.TEST, the keytab has 1"},
		"type":      {func() error { _, err := k.key(alice, 20, 0, nil); return err }, "aes256-cts-hmac-sha384-192"},
		"types":     {func() error { _, err := k.enctypes(alice, []int32{20}); return err }, "aes256-cts-hmac-sha1-96"},
		"principal": {func() error { _, err := k.enctypes(principal{[]string{"bob"}, "REAL.TEST"}, []int32{18}); return err }, "alice@REAL.TEST"},
	} {
		if err := c.call(); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", name, err)
		}
	}
	whole := file(t, "alice.keytab")
	secret, _ := k.key(alice, 18, 0, nil)
	for n := range len(whole) {
		path := filepath.Join(t.TempDir(), "cut")
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readKeytab(path); err != nil && strings.Contains(err.Error(), string(secret.KeyValue[:8])) {
			t.Fatalf("%d octets: the error shows a key", n)
		}
	}
}

// A password never shows where a client is printed.
func TestClientPrintsNoSecret(t *testing.T) {
	c := New(Config{Principal: "alice@X"})
	c.keys = passwordKeys("s3cret")
	if text := c.String(); strings.Contains(text, "s3cret") || !strings.Contains(text, "alice@X") {
		t.Error(text)
	}
}

func FuzzCache(f *testing.F) {
	whole := file(f, "alice.ccache")
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(binary.BigEndian.AppendUint32([]byte{5, 4, 0, 0, 0, 0, 0, 1}, 0xffffffff))
	f.Fuzz(func(t *testing.T, octets []byte) {
		c, err := parseCache(octets)
		if err != nil {
			return
		}
		c.find(principal{[]string{"pop", "localhost"}, "REAL.TEST"})
		for _, entry := range c.entries {
			var opened ticket
			unmarshalTicket(&opened.ticket, entry.ticket)
		}
	})
}

func FuzzProfile(f *testing.F) {
	f.Add(strings.ReplaceAll(oddProfile, "includedir", "#"))
	f.Add("[a]\nb =\n{\nc = {}\n}\n")
	f.Fuzz(func(t *testing.T, text string) {
		parser := profileParser{p: profile{}}
		for _, line := range strings.Split(text, "\n") {
			if line = strings.TrimSpace(line); line != "" {
				parser.line(line)
			}
		}
		s := &settings{profile: parser.p}
		s.permitted()
		s.realmOf("a.b.example.net")
		s.profile["libdefaults/dns_lookup_kdc"] = []string{"no"}
		s.kdcs(t.Context(), "EXAMPLE.NET")
	})
}

func FuzzKeytab(f *testing.F) {
	f.Add(file(f, "alice.keytab"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, octets []byte) {
		path := filepath.Join(dir, "keytab")
		if err := os.WriteFile(path, octets, 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := readKeytab(path)
		if err != nil {
			return
		}
		who := principal{[]string{"alice"}, "REAL.TEST"}
		k.enctypes(who, []int32{18})
		k.key(who, 18, 1, nil)
	})
}
