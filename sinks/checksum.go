package sinks

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
)

// checksum is the CRC-32C of octets as they are stored. The digest proves a
// message; the checksum finds what decodes to the same message and yet was
// changed: a bit of a compressed frame's header, the sender in a From_ line.
// One that is not known (copies made before there were checksums) agrees with
// everything.
type checksum struct {
	crc   uint32
	known bool
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksumOf(octets []byte) checksum { return checksum{crc32.Checksum(octets, castagnoli), true} }

// String returns 8 hexadecimal digits, or "".
func (c checksum) String() string {
	if !c.known {
		return ""
	}
	return string(c.appendTo(make([]byte, 0, 8)))
}

// appendTo appends the digits of a known checksum.
func (c checksum) appendTo(dst []byte) []byte {
	var octets [4]byte
	binary.BigEndian.PutUint32(octets[:], c.crc)
	return hex.AppendEncode(dst, octets[:])
}

// appendSuffix appends how a place shows it.
func (c checksum) appendSuffix(dst []byte) []byte {
	if !c.known {
		return dst
	}
	return c.appendTo(append(dst, '~'))
}

// parse takes exactly what String gives for a known one.
func (c *checksum) parse(digits string) bool {
	crc, err := strconv.ParseUint(digits, 16, 32)
	*c = checksum{uint32(crc), true}
	return err == nil && c.String() == digits
}

// MarshalText implements encoding.TextMarshaler.
func (c checksum) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *checksum) UnmarshalText(text []byte) error {
	if !c.parse(string(text)) {
		return fmt.Errorf("%.20q is no checksum", text)
	}
	return nil
}

// agrees tells whether octets with the checksum found may be those meant.
func (c checksum) agrees(found checksum) bool { return !c.known || c == found }

// summer takes the checksum of what is written to it.
type summer struct{ crc uint32 }

func (s *summer) Write(p []byte) (int, error) {
	s.crc = crc32.Update(s.crc, castagnoli, p)
	return len(p), nil
}

func (s *summer) sum() checksum { return checksum{s.crc, true} }

var _ io.Writer = (*summer)(nil)
