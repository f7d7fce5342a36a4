package redact

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestHide(t *testing.T) {
	const long, short = `k7Wq"x \9+41<ü zR-canary-PvT2m`, "hu7&b"
	var s Secrets
	s.Add(long, short, "")
	for _, text := range []string{long, short} {
		for name, form := range map[string]string{
			"plain": text, "upper case": strings.ToUpper(text), "quoted": fmt.Sprintf("%q", text), "ASCII": fmt.Sprintf("%+q", text),
			"hex": hex.EncodeToString([]byte(text)), "HEX": fmt.Sprintf("%X", text), "query": url.QueryEscape(text), "path": url.PathEscape(text),
			"base64": base64.StdEncoding.EncodeToString([]byte(text)), "base64 URL": base64.URLEncoding.EncodeToString([]byte(text)),
			"behind one": base64.StdEncoding.EncodeToString([]byte("\x00" + text)), "behind two": base64.StdEncoding.EncodeToString([]byte("ab" + text + "c")),
		} {
			shown := string(s.Hide([]byte("no: " + form + " is wrong")))
			if !strings.HasPrefix(shown, "no: ") || !strings.HasSuffix(shown, " is wrong") || !strings.Contains(shown, Mark) {
				t.Errorf("%s of %q: %q", name, text, shown)
			}
			if rest := strings.ReplaceAll(shown, Mark, ""); len(rest) > len("no:  is wrong")+8 {
				t.Errorf("%s of %q: too much is left: %q", name, text, shown)
			}
		}
	}
	// What was cut short is hidden, too; a few octets alone tell nothing.
	if shown := string(s.Hide([]byte("no: " + long[:20]))); shown != "no: "+Mark {
		t.Errorf("a part: %q", shown)
	}
	for _, harmless := range []string{"", "a canary sings", "hu7", "no such user"} {
		if shown := string(s.Hide([]byte(harmless))); shown != harmless {
			t.Errorf("%q became %q", harmless, shown)
		}
	}
	if shown := string(new(Secrets).Hide([]byte(long))); shown != long {
		t.Errorf("without secrets: %q", shown)
	}
	if shown := string(s.Hide([]byte(short + short + "." + short))); shown != Mark+"."+Mark {
		t.Errorf("three: %q", shown)
	}
}

func FuzzHide(f *testing.F) {
	f.Add("secret word", "no, secret word!")
	f.Fuzz(func(t *testing.T, secret, text string) {
		var s Secrets
		s.Add(secret)
		shown := string(s.Hide([]byte(text + secret + text)))
		if secret != "" && !strings.Contains(Mark+text+Mark+text, secret) && strings.Contains(shown, secret) {
			t.Errorf("%q shows %q", shown, secret)
		}
	})
}
