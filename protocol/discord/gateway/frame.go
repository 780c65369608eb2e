package gateway

import (
	"bytes"
	"compress/zlib"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"io"
)

// What the wire needs of WebSocket frames (RFC 6455, section 5.2):
//
//	byte 0   FIN, three reserved bits, opcode (4 bits)
//	byte 1   MASK, length (7 bits); 126: two more bytes of length, 127: eight more
//	         four bytes of masking key where MASK is set, which is so from client to server
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8

	finBit  = 0x80
	maskBit = 0x80
)

// header is the beginning of a frame.
type header struct {
	fin     bool
	opcode  byte
	masked  bool
	key     [4]byte
	size    int   // of the header itself
	payload int64 // length of what follows
}

// headerSize returns how long the header is that begins with these two bytes.
func headerSize(b0, b1 byte) int {
	n := 2
	switch b1 &^ maskBit {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if b1&maskBit != 0 {
		n += 4
	}
	return n
}

// parseHeader reads a header that is complete.
func parseHeader(b []byte) header {
	h := header{fin: b[0]&finBit != 0, opcode: b[0] & 0x0f, masked: b[1]&maskBit != 0, size: headerSize(b[0], b[1])}
	at := 2
	switch n := b[1] &^ maskBit; n {
	case 126:
		h.payload = int64(binary.BigEndian.Uint16(b[2:]))
		at += 2
	case 127:
		h.payload = int64(binary.BigEndian.Uint64(b[2:]) &^ (1 << 63))
		at += 8
	default:
		h.payload = int64(n)
	}
	if h.masked {
		copy(h.key[:], b[at:])
	}
	return h
}

// unmasked returns the payload of a whole frame from a client.
func unmasked(frame []byte, h header) []byte {
	out := bytes.Clone(frame[h.size:])
	for i := range out {
		out[i] ^= h.key[i%4]
	}
	return out
}

// maskedFrame makes a whole frame from a client.
func maskedFrame(opcode byte, payload []byte) []byte {
	b := []byte{finBit | opcode, maskBit}
	switch n := len(payload); {
	case n < 126:
		b[1] |= byte(n)
	case n < 1<<16:
		b[1] |= 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] |= 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	var key [4]byte
	rand.Read(key[:])
	b = append(b, key[:]...)
	for i, c := range payload {
		b = append(b, c^key[i%4])
	}
	return b
}

// closeOf reads the payload of a close frame. Code 1005 stands for none (RFC 6455, section 7.1.5).
func closeOf(payload []byte) *CloseError {
	if len(payload) < 2 {
		return &CloseError{Code: 1005}
	}
	text := string(bytes.ToValidUTF8(payload[2:], nil))
	return &CloseError{Code: int(binary.BigEndian.Uint16(payload)), Text: text}
}

// envelope is the part of a gateway payload that all have.
type envelope struct {
	Op   *int            `json:"op"`
	Data json.RawMessage `json:"d"`
}

// open reads the payload of a short message, inflating it where it is binary.
func open(opcode byte, payload []byte) (envelope, error) {
	var e envelope
	if opcode == opBinary {
		z, err := zlib.NewReader(bytes.NewReader(payload))
		if err != nil {
			return e, errGarbage
		}
		if payload, err = io.ReadAll(io.LimitReader(z, maxPeek*64)); err != nil {
			return e, errGarbage
		}
	}
	if json.Unmarshal(payload, &e) != nil || e.Op == nil {
		return e, errGarbage
	}
	return e, nil
}
