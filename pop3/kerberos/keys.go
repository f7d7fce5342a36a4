package kerberos

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/patype"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/types"
)

// keys are the long-term keys of a principal.
type keys interface {
	// enctypes returns those of the wanted encryption types that there is a
	// key of, in their order.
	enctypes(p principal, wanted []int32) ([]int32, error)
	// key returns the key of an encryption type. kvno 0 means the newest; hints
	// are what the KDC says of salts (RFC 4120 section 5.2.7.5).
	key(p principal, enctype int32, kvno int, hints types.PADataSequence) (types.EncryptionKey, error)
}

// passwordKeys makes keys of a password.
type passwordKeys string

func (passwordKeys) enctypes(_ principal, wanted []int32) ([]int32, error) { return wanted, nil }

// maxIterations bounds the work that a KDC can ask for, as MIT's library does.
const maxIterations = 0x1000000

func (password passwordKeys) key(p principal, enctype int32, _ int, hints types.PADataSequence) (key types.EncryptionKey, err error) {
	defer rescue(&err)
	etype, err := crypto.GetEtype(enctype)
	if err != nil {
		return key, err
	}
	salt, params := p.realm+strings.Join(p.name, ""), etype.GetDefaultStringToKeyParams()
	for _, hint := range hints {
		if hint.PADataType == patype.PA_PW_SALT {
			salt = string(hint.PADataValue)
		}
	}
	for _, info := range enctypeInfo(hints) {
		if info.EType != enctype {
			continue
		}
		if info.Salt != "" {
			salt = info.Salt
		}
		if len(info.S2KParams) == 4 {
			if n := binary.BigEndian.Uint32(info.S2KParams); n == 0 || n > maxIterations {
				return key, errors.New("the KDC asks for an unreasonable number of iterations")
			}
			params = hex.EncodeToString(info.S2KParams)
		}
		break
	}
	value, err := etype.StringToKey(string(password), salt, params)
	return types.EncryptionKey{KeyType: enctype, KeyValue: value}, err
}

// enctypeInfo returns what the KDC says of the encryption types that it has
// keys of.
func enctypeInfo(hints types.PADataSequence) types.ETypeInfo2 {
	for _, hint := range hints {
		if hint.PADataType == patype.PA_ETYPE_INFO2 {
			if info, err := hint.GetETypeInfo2(); err == nil {
				return info
			}
		}
	}
	return nil
}

// keytabKeys are the keys in a keytab file.
type keytabKeys struct {
	path string
	file *keytab.Keytab
}

// maxKeytab bounds a keytab, in octets.
const maxKeytab = 64 << 20

// readKeytab reads a keytab. Errors of the library are not passed on: they
// repeat octets of the file.
func readKeytab(path string) (k *keytabKeys, err error) {
	op := "read keytab " + quote(path)
	data, err := readSmall(path, maxKeytab)
	if err != nil {
		return nil, fail(KindLocal, op, "name a keytab that this user may read", "%w", bare(err))
	}
	parse := func() (err error) {
		defer rescue(&err)
		k = &keytabKeys{path, keytab.New()}
		return k.file.Unmarshal(data)
	}
	if parse() != nil || len(k.file.Entries) == 0 {
		return nil, fail(KindLocal, op, "export it again, with kadmin's ktadd or ktpass", "it is truncated, empty or no keytab")
	}
	return k, nil
}

// each calls f for every key of a principal until it returns false.
func (k *keytabKeys) each(p principal, f func(kvno int, key types.EncryptionKey) bool) {
	for _, entry := range k.file.Entries {
		if p.equal(principal{entry.Principal.Components, entry.Principal.Realm}) && !f(int(entry.KVNO), entry.Key) {
			return
		}
	}
}

func (k *keytabKeys) enctypes(p principal, wanted []int32) (have []int32, err error) {
	var there []string
	for _, id := range wanted {
		k.each(p, func(_ int, key types.EncryptionKey) bool {
			if key.KeyType == id {
				have = append(have, id)
			}
			return key.KeyType != id
		})
	}
	if len(have) > 0 {
		return have, nil
	}
	k.each(p, func(_ int, key types.EncryptionKey) bool {
		there = append(there, enctypeName(key.KeyType))
		return true
	})
	op := "read keytab " + quote(k.path)
	if len(there) > 0 {
		return nil, fail(KindLocal, op, "export it again with AES keys, or allow the type with permitted_enctypes in a krb5.conf",
			"its keys of %s are of types that are not permitted: %s", p, strings.Join(slices.Compact(there), ", "))
	}
	return nil, fail(KindLocal, op, "principal is one of these, case and realm included; or export the principal into the keytab",
		"it has no key of %s, but of %s", p, k.principals())
}

// principals lists whose keys there are, at most five.
func (k *keytabKeys) principals() string {
	var names []string
	for _, entry := range k.file.Entries {
		if name := (principal{entry.Principal.Components, entry.Principal.Realm}).String(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) > 5 {
		names = append(names[:5], fmt.Sprintf("and %d more", len(names)-5))
	}
	return quote(strings.Join(names, ", "))
}

func (k *keytabKeys) key(p principal, enctype int32, kvno int, _ types.PADataSequence) (key types.EncryptionKey, err error) {
	best := -1
	var versions []string
	k.each(p, func(version int, candidate types.EncryptionKey) bool {
		if candidate.KeyType != enctype {
			return true
		}
		versions = append(versions, fmt.Sprint(version))
		// A keytab may hold the low octet of the number alone.
		if (kvno == 0 || version == kvno || version == kvno&0xff && version < 256) && version > best {
			best, key = version, candidate
		}
		return true
	})
	if best >= 0 {
		return key, nil
	}
	const remedy = "export the keytab again: the principal's key was changed since"
	op := "read keytab " + quote(k.path)
	if len(versions) == 0 {
		return key, fail(KindLocal, op, remedy, "it has no key of %s of type %s, which the KDC uses", p, enctypeName(enctype))
	}
	return key, fail(KindLocal, op, remedy, "the KDC uses key version %d of %s, the keytab has %s of type %s",
		kvno, p, strings.Join(versions, ", "), enctypeName(enctype))
}
