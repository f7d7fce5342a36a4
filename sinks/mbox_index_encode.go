package sinks

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strconv"
)

// appendTo appends the line as it stands in an index, with its line end. It is
// what package encoding/json makes of it, and the seal.
func (l *indexLine) appendTo(dst []byte) []byte {
	begin := len(dst)
	dst = appendString(append(dst, `{"segment":`...), l.Segment)
	dst = appendPair(append(dst, `,"frame":`...), l.Frame[0], l.Frame[1])
	dst = appendPair(append(dst, `,"at":`...), l.At[0], l.At[1])
	if l.Sum.known {
		dst = appendSum(dst, `,"frame_crc32c":"`, l.Sum)
	}
	if l.Raw {
		dst = append(dst, `,"raw":true`...)
	}
	if l.RawSum.known {
		dst = appendSum(dst, `,"raw_crc32c":"`, l.RawSum)
	}
	if l.NoEOL {
		dst = append(dst, `,"no_eol":true`...)
	}
	dst = strconv.AppendInt(append(dst, `,"ordinal":`...), l.Ordinal, 10)
	dst = appendString(append(dst, `,"unique_id":`...), l.UniqueID)
	dst = strconv.AppendInt(append(dst, `,"octets":`...), l.Octets, 10)
	dst = hex.AppendEncode(append(dst, `,"sha256":"`...), l.SHA256[:])
	dst = hex.AppendEncode(append(dst, `","sha256_lf":"`...), l.SHA256LF[:])
	dst = appendString(append(dst, `","message_id":`...), l.MessageID)
	dst = appendString(append(dst, `,"date":`...), l.Date)
	dst = appendString(append(dst, `,"from":`...), l.From)
	dst = appendString(append(dst, `,"session":`...), l.Session)
	return seal(append(dst, '}'), begin)
}

// seal puts the checksum of the line that begins in dst at begin into it, as
// its last field, and ends it.
func seal(dst []byte, begin int) []byte {
	sum := checksumOf(dst[begin:])
	return append(appendSum(dst[:len(dst)-1], sealField, sum), '}', '\n')
}

// appendSum appends a field with a checksum.
func appendSum(dst []byte, name string, sum checksum) []byte {
	return append(sum.appendTo(append(dst, name...)), '"')
}

func appendPair(dst []byte, a, b int64) []byte {
	dst = strconv.AppendInt(append(dst, '['), a, 10)
	return append(strconv.AppendInt(append(dst, ','), b, 10), ']')
}

// appendString appends a JSON string.
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return appendEscaped(dst, s)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

func appendEscaped(dst []byte, s string) []byte {
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetEscapeHTML(false)
	encoder.Encode(s) // of a string it cannot fail
	return append(dst, bytes.TrimSuffix(buf.Bytes(), []byte{'\n'})...)
}
