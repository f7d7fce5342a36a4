package kerberos

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// settings is what of krb5.conf this package heeds.
type settings struct {
	profile  profile
	files    []string // that were read
	enctypes []int32  // that may be asked for, in order of preference
}

// readSettings reads the krb5.conf of a path, else of KRB5_CONFIG, else of the
// system. Only the system's may be missing: DNS then names the KDCs.
func readSettings(path string, getenv func(string) string) (*settings, error) {
	paths, mayMiss := []string{path}, false
	if path == "" {
		paths = filepath.SplitList(getenv("KRB5_CONFIG"))
	}
	if len(paths) == 0 {
		paths, mayMiss = []string{systemProfile(getenv)}, true
	}
	s := &settings{profile: profile{}}
	for _, file := range paths {
		err := s.profile.readProfile(file, 0)
		if mayMiss && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fail(KindLocal, "read krb5.conf", "name a file of your own with krb5_conf", "%w", err)
		}
		s.files = append(s.files, file)
	}
	s.enctypes = s.permitted()
	if len(s.enctypes) == 0 {
		return nil, fail(KindLocal, "read krb5.conf", "name at least one AES type in permitted_enctypes, or leave it out",
			"permitted_enctypes in %s leaves no encryption type that this program knows", strings.Join(s.files, ", "))
	}
	return s, nil
}

// systemProfile returns where the system keeps its krb5.conf.
func systemProfile(getenv func(string) string) string {
	if runtime.GOOS == "windows" {
		return filepath.Join(getenv("ProgramData"), "MIT", "Kerberos5", "krb5.ini")
	}
	return "/etc/krb5.conf"
}

// permitted returns the encryption types that krb5.conf allows; where it says
// nothing, the four with AES.
func (s *settings) permitted() []int32 {
	for _, key := range []string{"permitted_enctypes", "default_tgs_enctypes", "default_tkt_enctypes"} {
		text := s.profile.first("libdefaults/" + key)
		if text == "" || strings.HasPrefix(text, "DEFAULT") {
			continue
		}
		var ids []int32
		for _, word := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return r == ' ' || r == ',' || r == '\t' }) {
			for _, e := range enctypeNames {
				if slices.Contains(e.names, word) && !slices.Contains(ids, e.id) {
					ids = append(ids, e.id)
				}
			}
		}
		return ids
	}
	return []int32{18, 17, 20, 19}
}

// defaultRealm returns the realm of principals that name none, or "".
func (s *settings) defaultRealm() string { return s.profile.first("libdefaults/default_realm") }

// realmOf returns the realm that [domain_realm] has for a host, or "".
func (s *settings) realmOf(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if realm := s.profile.first("domain_realm/" + host); realm != "" {
		return realm
	}
	for rest := host; ; {
		_, after, ok := strings.Cut(rest, ".")
		if !ok {
			return ""
		}
		rest = after
		if realm := s.profile.first("domain_realm/." + rest); realm != "" {
			return realm
		}
		if realm := s.profile.first("domain_realm/" + rest); realm != "" {
			return realm
		}
	}
}

// kdcs returns the addresses of a realm's KDCs, in the order to try them: those
// of krb5.conf, else those of DNS.
func (s *settings) kdcs(ctx context.Context, realm string) ([]string, error) {
	var addresses []string
	for _, kdc := range s.profile["realms/"+realm+"/kdc"] {
		if address, ok := kdcAddress(kdc); ok {
			addresses = append(addresses, address)
		}
	}
	where := strings.Join(s.files, ", ")
	if where == "" {
		where = "krb5.conf (there is none)"
	}
	remedy := fmt.Sprintf("write kdc = HOST under %s in [realms] of a krb5.conf, and name it with krb5_conf; a realm is case-sensitive", realm)
	switch {
	case len(addresses) > 0:
		return addresses, nil
	case len(s.profile["realms/"+realm+"/kdc"]) > 0:
		return nil, fail(KindLocal, "find KDC of "+realm, remedy, "%s names only KDCs behind HTTPS, which this program does not speak", where)
	case !s.profile.flag("libdefaults/dns_lookup_kdc", true):
		return nil, fail(KindLocal, "find KDC of "+realm, remedy, "%s names none, and switches dns_lookup_kdc off", where)
	}
	for _, proto := range []string{"tcp", "udp"} {
		_, records, err := net.DefaultResolver.LookupSRV(ctx, "kerberos", proto, realm)
		for _, record := range records {
			addresses = append(addresses, net.JoinHostPort(strings.TrimSuffix(record.Target, "."), strconv.Itoa(int(record.Port))))
		}
		if len(addresses) > 0 {
			return addresses, nil
		}
		if err == nil {
			continue
		}
		if missing := (*net.DNSError)(nil); !errors.As(err, &missing) || !missing.IsNotFound {
			return nil, fail(KindNetwork, "find KDC of "+realm, remedy, "%s names none, and DNS does not answer: %w", where, err)
		}
	}
	return nil, fail(KindLocal, "find KDC of "+realm, remedy, "neither %s nor DNS names one", where)
}

// kdcAddress returns host:port for a KDC as krb5.conf has it: host, host:port,
// [v6]:port, with tcp/ or udp/ before it. A KDC behind HTTPS is left out.
func kdcAddress(text string) (string, bool) {
	text = strings.TrimSuffix(strings.TrimSpace(text), "*")
	if strings.HasPrefix(text, "https:") || strings.HasPrefix(text, "http:") {
		return "", false
	}
	text = strings.TrimPrefix(strings.TrimPrefix(text, "tcp/"), "udp/")
	if host, port, err := net.SplitHostPort(text); err == nil && host != "" && port != "" {
		return net.JoinHostPort(host, port), true
	}
	text = strings.Trim(text, "[]")
	return net.JoinHostPort(text, "88"), text != ""
}

// defaultCache returns the name of the credential cache to use unasked:
// KRB5CCNAME, else what krb5.conf says, else the file that kinit writes.
func (s *settings) defaultCache(getenv func(string) string) string {
	if name := getenv("KRB5CCNAME"); name != "" {
		return name
	}
	uid := strconv.Itoa(os.Getuid())
	if name := s.profile.first("libdefaults/default_ccache_name"); name != "" {
		return strings.NewReplacer("%{uid}", uid, "%{euid}", strconv.Itoa(os.Geteuid()), "%{null}", "", "%{TEMP}", os.TempDir()).Replace(name)
	}
	return "FILE:/tmp/krb5cc_" + uid
}
