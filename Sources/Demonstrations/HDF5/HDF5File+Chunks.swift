import CHDF5

/// Checks that a dataset stores as many bytes as its shape requires.
///
/// The library does not check this: if a chunk unpacks to fewer bytes, it reads values from the memory behind them; if
/// a chunk is declared to be huge, it allocates memory for it.
extension HDF5File {
    func checkBytes(_ dataset: hid_t, _ shape: [Int], _ name: String) throws {
        let type = H5Dget_type(dataset)
        defer { H5Tclose(type) }
        let elementBytes = try storedBytes(of: type, name)
        let (needed, overflow) = shape.reduce(1, *).multipliedReportingOverflow(by: elementBytes)
        guard !overflow else { throw wrong("\(name) needs more bytes than this machine can address") }
        try withProperties(of: dataset, name) { properties in
            guard H5Pget_layout(properties) == H5D_CHUNKED else {
                let stored = Int(clamping: H5Dget_storage_size(dataset))
                guard stored == needed else {
                    throw wrong("\(name) is damaged: it stores \(stored) bytes; its shape \(shape) needs \(needed)")
                }
                return
            }
            let chunks = try ChunkGrid(
                shape,
                sides: chunkSides(properties, rank: shape.count, name),
                elementBytes: elementBytes
            )
            guard let chunks, chunks.byteCount <= max(2 * needed, Self.maximumChunkBytes) else {
                throw wrong(
                    """
                    \(name) has the shape \(shape) and chunks that are too large: expected chunks of at most \
                    \(max(2 * needed, Self.maximumChunkBytes)) bytes
                    """
                )
            }
            let used = try filters(properties, name)
            guard let known = ChunkFilters(used, properties) else {
                throw wrong(
                    """
                    \(name) is compressed with \(used.map(Self.filterName).joined(separator: " and ")); chunks in \
                    this form cannot be checked
                    """,
                    hint: "write it with gzip, with or without shuffle, or without compression"
                )
            }
            try checkChunks(dataset, chunks, known, name)
        }
    }

    /// Returns the size of one element in the file. A text of variable length is stored as a reference: a length of 4
    /// bytes, an address, and an index of 4 bytes (HDF5 file format, IV.B: global heap).
    private func storedBytes(of type: hid_t, _ name: String) throws -> Int {
        guard H5Tis_variable_str(type) > 0 else { return H5Tget_size(type) }
        let creation = H5Fget_create_plist(file)
        defer { H5Pclose(creation) }
        var (addressBytes, lengthBytes) = (0, 0)
        guard creation >= 0, H5Pget_sizes(creation, &addressBytes, &lengthBytes) >= 0 else {
            throw wrong("the file's sizes of addresses, which \(name) uses, cannot be read")
        }
        return 4 + addressBytes + 4
    }

    /// The chunk size that is always allowed: a small dataset can have large chunks if it was meant to grow.
    private static let maximumChunkBytes = 16 << 20

    func chunkSides(_ properties: hid_t, rank: Int, _ name: String) throws -> [Int] {
        var sides = [hsize_t](repeating: 0, count: max(1, rank))
        guard Int(H5Pget_chunk(properties, Int32(rank), &sides)) == rank, sides.allSatisfy({ $0 > 0 }) else {
            throw wrong("the chunks of \(name) cannot be read")
        }
        return sides.map { Int(clamping: $0) }
    }

    private func checkChunks(_ dataset: hid_t, _ chunks: ChunkGrid, _ filters: ChunkFilters, _ name: String) throws {
        var stored = 0
        try chunks.forEach { start in
            let place = start.map { hsize_t($0) }
            var byteCount: hsize_t = 0
            guard H5Dget_chunk_storage_size(dataset, place, &byteCount) >= 0 else {
                throw wrong("the chunks of \(name) cannot be read")
            }
            let problem = "\(name) is damaged: its chunk at \(start)"
            guard byteCount > 0, byteCount <= hsize_t(ChunkFilters.largestStored(chunks.byteCount)) else {
                throw wrong("\(problem) stores \(byteCount) bytes")
            }
            stored += Int(byteCount)
            guard !filters.isEmpty else {
                guard Int(byteCount) == chunks.byteCount else {
                    throw wrong("\(problem) stores \(byteCount) of \(chunks.byteCount) bytes")
                }
                return
            }
            var skipped: UInt32 = 0
            var bytes = [UInt8](repeating: 0, count: Int(byteCount))
            guard H5Dread_chunk(dataset, hid_t(H5P_DEFAULT), place, &skipped, &bytes) >= 0 else {
                throw wrong("\(problem) cannot be read")
            }
            guard filters.hold(bytes, skipped: skipped, chunkBytes: chunks.byteCount) else {
                throw wrong("\(problem) does not unpack to its \(chunks.byteCount) bytes")
            }
        }
        // Otherwise a file of a few bytes could declare a huge dataset and store almost none of it.
        let (largest, overflow) = stored.multipliedReportingOverflow(by: Self.maximumCompression)
        guard overflow || chunks.count * chunks.byteCount <= max(largest, Self.maximumCompression) else {
            throw wrong(
                "\(name) declares \(chunks.count) chunks of \(chunks.byteCount) bytes and stores \(stored) bytes"
            )
        }
    }
}

/// The positions of a dataset's chunks.
struct ChunkGrid {
    private let shape: [Int]
    private let sides: [Int]
    /// The size of each chunk in bytes; chunks at the edges are as large as the others.
    let byteCount: Int
    let count: Int

    /// `nil` if the size of a chunk in bytes overflows `Int`.
    init?(_ shape: [Int], sides: [Int], elementBytes: Int) {
        (self.shape, self.sides) = (shape, sides)
        var bytes = elementBytes
        for side in sides {
            let (product, overflow) = bytes.multipliedReportingOverflow(by: side)
            guard !overflow else { return nil }
            bytes = product
        }
        byteCount = bytes
        count = zip(shape, sides).reduce(1) { $0 * (($1.0 - 1) / $1.1 + 1) }
    }

    /// Calls `body` with the indices of each chunk's first element.
    func forEach(_ body: ([Int]) throws -> Void) rethrows {
        var start = [Int](repeating: 0, count: shape.count)
        while true {
            try body(start)
            var axis = shape.count - 1
            while axis >= 0, start[axis] + sides[axis] >= shape[axis] {
                start[axis] = 0
                axis -= 1
            }
            guard axis >= 0 else { return }
            start[axis] += sides[axis]
        }
    }
}

/// The filters of a dataset's chunks, if the unpacked size of the chunks can be checked.
struct ChunkFilters {
    /// In the order in which they are applied for writing.
    private let filters: [H5Z_filter_t]

    private static let (deflate, shuffle, fletcher32) = (H5Z_filter_t(1), H5Z_filter_t(2), H5Z_filter_t(3))
    private static let checksumBytes = 4

    var isEmpty: Bool { filters.isEmpty }

    /// `nil` if there are other filters, or if the order of the filters is unusual.
    init?(_ filters: [H5Z_filter_t], _ properties: hid_t) {
        var options: UInt32 = 0
        guard filters.allSatisfy([Self.deflate, Self.shuffle, Self.fletcher32].contains),
            filters.count(where: { $0 == Self.deflate }) <= 1,
            // With this option, chunks at the edges are stored in another form.
            filters.isEmpty || (H5Pget_chunk_opts(properties, &options) >= 0 && options == 0)
        else { return nil }
        if let position = filters.firstIndex(of: Self.deflate), filters[position...].contains(Self.shuffle) {
            return nil
        }
        self.filters = filters
    }

    /// An upper bound for the stored size of a chunk.
    static func largestStored(_ chunkBytes: Int) -> Int { chunkBytes + chunkBytes / 64 + 1024 }

    /// Returns whether the stored bytes of a chunk unpack to `chunkBytes` bytes.
    ///
    /// - Parameters:
    ///   - stored: The stored bytes.
    ///   - skipped: A bit for each filter that was not applied to this chunk.
    ///   - chunkBytes: The expected size.
    func hold(_ stored: [UInt8], skipped: UInt32, chunkBytes: Int) -> Bool {
        let used = filters.enumerated().filter { skipped & (1 << UInt32($0.offset)) == 0 }.map(\.element)
        func checksums(_ filters: some Sequence<H5Z_filter_t>) -> Int {
            filters.reduce(0) { $0 + ($1 == Self.fletcher32 ? Self.checksumBytes : 0) }
        }
        guard let position = used.firstIndex(of: Self.deflate) else {
            return stored.count == chunkBytes + checksums(used)
        }
        let (before, behind) = (checksums(used[..<position]), checksums(used[position...]))
        guard stored.count > behind else { return false }
        return Deflate.unpackedByteCount(Array(stored.dropLast(behind)), atMost: chunkBytes + before) == chunkBytes
            + before
    }
}
