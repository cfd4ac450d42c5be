import CZlib

/// zlib streams (RFC 1950), as HDF5's gzip filter writes them.
enum Deflate {
    /// Returns the uncompressed size of a stream; `nil` if it is damaged, ends too early, or is larger than `limit`.
    ///
    /// The uncompressed data are discarded piece by piece, so memory does not grow with the size of the data.
    static func unpackedByteCount(_ stream: [UInt8], atMost limit: Int) -> Int? {
        var state = z_stream()
        guard kumiai_inflate_init(&state) == Z_OK else { return nil }
        defer { inflateEnd(&state) }
        var input = stream
        var output = [UInt8](repeating: 0, count: 64 * 1024)
        return input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                state.next_in = input.baseAddress
                state.avail_in = UInt32(clamping: input.count)
                var count = 0
                while true {
                    state.next_out = output.baseAddress
                    state.avail_out = UInt32(output.count)
                    let status = inflate(&state, Z_NO_FLUSH)
                    count += output.count - Int(state.avail_out)
                    guard count <= limit else { return nil }
                    if status == Z_STREAM_END { return count }
                    guard status == Z_OK, state.avail_in > 0 || state.avail_out == 0 else { return nil }
                }
            }
        }
    }
}
