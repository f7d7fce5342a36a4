package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"sync"

	"popmigrate/internal/durable"
)

const maxTokenFile = 64 << 20 // octets: refresh tokens of all users

// tokenFile keeps refresh tokens by user. It is replaced as a whole, so that a
// crash leaves the old or the new one.
type tokenFile struct {
	fs   durable.FS
	path string // "" means none

	mu     sync.Mutex
	tokens map[string]string // nil until read
}

// tokenFileForm is the file's content.
type tokenFileForm struct {
	Version int               `json:"version"`
	Refresh map[string]string `json:"refresh_tokens"`
}

// get returns a user's refresh token, "" where there is none.
func (f *tokenFile) get(user string) (string, error) {
	if f.path == "" {
		return "", nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.read(); err != nil {
		return "", err
	}
	return f.tokens[user], nil
}

// put writes a user's refresh token; when it returns the file is durable.
func (f *tokenFile) put(user, refresh string) error {
	if f.path == "" {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.read(); err != nil {
		return err
	}
	f.tokens[user] = refresh
	err := durable.Publish(f.fs, f.path, func(w io.Writer) error {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(tokenFileForm{Version: 1, Refresh: f.tokens})
	})
	if err != nil {
		return fmt.Errorf("write token file: %w", err)
	}
	return nil
}

// read reads the file once. One that others can read is refused, as is one
// that is not understood: it is never overwritten then.
func (f *tokenFile) read() error {
	if f.tokens != nil {
		return nil
	}
	info, err := f.fs.Lstat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		f.tokens = map[string]string{}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read token file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("read token file %s: it is not a regular file", f.path)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("read token file %s: others can read it; mend it with chmod 600", f.path)
	}
	data, err := durable.ReadFile(f.fs, f.path, maxTokenFile)
	if err != nil {
		return fmt.Errorf("read token file: %w", err)
	}
	var form tokenFileForm
	if json.Unmarshal(data, &form) != nil || form.Version != 1 {
		return fmt.Errorf("read token file %s: it is not a token file; name another or remove it", f.path)
	}
	f.tokens = form.Refresh
	if f.tokens == nil {
		f.tokens = map[string]string{}
	}
	return nil
}
