import Blobs
import Federation
import Synchronization

/// Blobs in memory, which outlast nothing: the shortest backend, to show that a store needs no files.
final class MemoryBlobs: BlobBackend {
    fileprivate struct State {
        var blobs: [Digest: MemoryContents] = [:]
        var damaged: [Digest: MemoryContents] = [:]
        var uploads: [Digest: MemoryContents] = [:]
        var sites: [SiteID: MemoryBlobs] = [:]
    }

    fileprivate let state = Mutex(State())

    var place: String { "memory" }
    var freeBytes: UInt64? { nil }

    func byteCount(of digest: Digest) -> UInt64? { state.withLock { $0.blobs[digest]?.byteCount } }

    func open(_ digest: Digest) throws -> any BlobContents {
        guard let blob = state.withLock({ $0.blobs[digest] }) else {
            throw BlobError(.missing, "blob \(digest.hex) is missing")
        }
        return blob
    }

    func digests() -> [Digest] { state.withLock { Array($0.blobs.keys) } }
    func remove(_ digest: Digest) { state.withLock { $0.blobs[digest] = nil } }

    func setAside(_ digest: Digest) throws {
        try state.withLock { state in
            guard let blob = state.blobs.removeValue(forKey: digest) else {
                throw BlobError(.missing, "blob \(digest.hex) is missing")
            }
            state.damaged[digest] = blob
        }
    }

    func share(_ digest: Digest, from other: any BlobBackend) throws {
        let source = try other.open(digest)
        let bytes = try [UInt8](unsafeUninitializedCapacity: Int(source.byteCount)) { buffer, count in
            count = try source.read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
        }
        state.withLock { $0.blobs[digest] = MemoryContents(self, bytes) }
    }

    func draft() -> any BlobDraft { MemoryContents(self) }

    func upload(_ digest: Digest, byteCount: UInt64) -> any BlobDraft {
        state.withLock { state in
            let upload = state.uploads[digest] ?? MemoryContents(self)
            state.uploads[digest] = upload
            return upload
        }
    }

    func unfinished() -> [Digest: UInt64] { state.withLock { $0.uploads.mapValues(\.byteCount) } }
    func removeUnfinished(_ digest: Digest) { state.withLock { $0.uploads[digest] = nil } }
    func removeDrafts() {}

    func incoming(of site: SiteID) -> any BlobBackend {
        state.withLock { state in
            let place = state.sites[site] ?? MemoryBlobs()
            state.sites[site] = place
            return place
        }
    }

    func incomingSites() -> [SiteID] { state.withLock { Array($0.sites.keys) } }
}

private final class MemoryContents: BlobDraft {
    private let blobs: MemoryBlobs
    private let bytes: Mutex<[UInt8]>

    init(_ blobs: MemoryBlobs, _ bytes: [UInt8] = []) {
        self.blobs = blobs
        self.bytes = Mutex(bytes)
    }

    var byteCount: UInt64 { bytes.withLock { UInt64($0.count) } }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) -> Int {
        bytes.withLock { bytes in
            let part = bytes.dropFirst(Int(offset)).prefix(buffer.count)
            buffer.copyBytes(from: part)
            return part.count
        }
    }

    func write(_ new: UnsafeRawBufferPointer, at offset: UInt64) {
        let new = Array(new)
        bytes.withLock { $0.replaceSubrange(Int(offset)..., with: new) }
    }

    func beginWriting(_ range: Range<UInt64>) {}
    func checkpoint(_ count: UInt64) {}

    func publish(as digest: Digest) {
        blobs.state.withLock { state in
            state.blobs[digest] = self
            state.uploads[digest] = nil
        }
    }

    func discard() {
        blobs.state.withLock { state in
            for (digest, upload) in state.uploads where upload === self { state.uploads[digest] = nil }
        }
    }
}
