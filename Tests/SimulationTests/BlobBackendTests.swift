import Federation
import Identity
import TestKit
import Testing

@testable import Blobs
@testable import Simulation

/// What every backend of blobs must do. A further backend is a further case.
struct BlobBackendTests {
    enum Kind: CaseIterable { case files, simulated, memory }

    static let osaka = SiteID("acme/osaka")!
    static let turin = SiteID("bolt/turin")!
    static let content = (0..<300).map { UInt8(truncatingIfNeeded: $0 &* 167 >> 2) }
    static let digest = Digest(of: content)

    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private func make(_ kind: Kind) throws -> any BlobBackend {
        switch kind {
        case .files: try FileBlobs(directory: directory.file("blobs"))
        case .simulated: try FileBlobs(directory: "blobs", disk: SimulatedDisk())
        case .memory: MemoryBlobs()
        }
    }

    private func publish(_ bytes: [UInt8], in backend: any BlobBackend) throws -> Digest {
        let draft = try backend.draft()
        try bytes.withUnsafeBytes { try draft.write($0, at: 0) }
        try draft.publish(as: Digest(of: bytes))
        return Digest(of: bytes)
    }

    private func read(_ contents: any BlobContents, at offset: UInt64 = 0, _ count: Int = 1000) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = try contents.read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
        }
    }

    @Test(arguments: Kind.allCases) func aNewBackendHoldsNothing(kind: Kind) throws {
        let backend = try make(kind)
        #expect(try backend.digests().isEmpty && backend.unfinished().isEmpty && backend.incomingSites().isEmpty)
        #expect(backend.byteCount(of: Self.digest) == nil && !backend.place.isEmpty)
        #expect(throws: BlobError(.missing, "")) { try backend.open(Self.digest) }
        #expect(throws: BlobError.self) { try backend.setAside(Self.digest) }
        backend.remove(Self.digest)
        backend.removeUnfinished(Self.digest)
        backend.removeDrafts()
    }

    @Test(arguments: Kind.allCases) func aDraftIsSeenByNobodyUntilItIsPublished(kind: Kind) throws {
        let backend = try make(kind)
        let draft = try backend.draft(), second = try backend.draft()
        for start in stride(from: 0, to: 300, by: 100) {
            try Self.content[start..<start + 100].withUnsafeBytes { try draft.write($0, at: UInt64(start)) }
            draft.beginWriting(UInt64(start)..<UInt64(start) + 100)
        }
        #expect(try draft.byteCount == 300 && read(draft) == Self.content && second.byteCount == 0)
        #expect(try backend.digests().isEmpty && backend.byteCount(of: Self.digest) == nil)
        try draft.publish(as: Self.digest)
        second.discard()
        #expect(try backend.digests() == [Self.digest] && backend.byteCount(of: Self.digest) == 300)
        draft.discard()
        #expect(try read(backend.open(Self.digest)) == Self.content, "discarding what is published changes nothing")
    }

    @Test(arguments: Kind.allCases) func aBlobIsReadAtAnyOffset(kind: Kind) throws {
        let backend = try make(kind)
        let blob = try backend.open(publish(Self.content, in: backend))
        #expect(try blob.byteCount == 300)
        for (offset, count) in [(0, 1), (7, 100), (250, 100), (299, 1), (300, 10)] {
            #expect(
                try read(blob, at: UInt64(offset), count) == Array(Self.content.dropFirst(offset).prefix(count)),
                "\(offset)"
            )
        }
    }

    @Test(arguments: Kind.allCases) func publishingReplacesABlobOfThatName(kind: Kind) throws {
        let backend = try make(kind)
        for bytes in [[UInt8](repeating: 1, count: 9), Self.content] {
            let draft = try backend.draft()
            try bytes.withUnsafeBytes { try draft.write($0, at: 0) }
            try draft.publish(as: Self.digest)
        }
        #expect(try backend.digests() == [Self.digest] && read(backend.open(Self.digest)) == Self.content)
    }

    @Test(arguments: Kind.allCases) func blobsAreListedRemovedAndSetAside(kind: Kind) throws {
        let backend = try make(kind)
        let digests = try (0..<20).map { try publish([UInt8($0)], in: backend) }
        #expect(try Set(backend.digests()) == Set(digests))
        for digest in digests.prefix(10) { backend.remove(digest) }
        try backend.setAside(digests[10])
        #expect(try Set(backend.digests()) == Set(digests[11...]))
        #expect(backend.byteCount(of: digests[10]) == nil)
        // What was set aside can come in again.
        #expect(try publish([10], in: backend) == digests[10] && read(backend.open(digests[10])) == [10])
    }

    @Test(arguments: Kind.allCases) func anUploadGoesOnAfterItsCheckpoint(kind: Kind) throws {
        let backend = try make(kind)
        var upload: (any BlobDraft)? = try backend.upload(Self.digest, byteCount: 300)
        #expect(try upload?.byteCount == 0)
        try Self.content[..<200].withUnsafeBytes { try upload?.write($0, at: 0) }
        try upload?.checkpoint(200)
        upload = nil
        #expect(backend.unfinished() == [Self.digest: 200] && backend.byteCount(of: Self.digest) == nil)
        let again = try backend.upload(Self.digest, byteCount: 300)
        #expect(try again.byteCount == 200 && read(again) == Array(Self.content[..<200]))
        try Self.content[200...].withUnsafeBytes { try again.write($0, at: 200) }
        try again.publish(as: Self.digest)
        #expect(try read(backend.open(Self.digest)) == Self.content && backend.unfinished().isEmpty)
    }

    @Test(arguments: Kind.allCases) func anUploadThatIsRemovedOrDiscardedStartsFromTheBeginning(kind: Kind) throws {
        let backend = try make(kind)
        for isRemoved in [true, false] {
            let upload = try backend.upload(Self.digest, byteCount: 300)
            #expect(try upload.byteCount == 0)
            try Self.content[..<200].withUnsafeBytes { try upload.write($0, at: 0) }
            try upload.checkpoint(200)
            if isRemoved { backend.removeUnfinished(Self.digest) } else { upload.discard() }
            #expect(backend.unfinished().isEmpty)
        }
    }

    @Test(arguments: Kind.allCases) func aSitesUploadsAreItsOwnUntilTheyAreShared(kind: Kind) throws {
        let backend = try make(kind)
        let osaka = try backend.incoming(of: Self.osaka), turin = try backend.incoming(of: Self.turin)
        let digest = try publish(Self.content, in: osaka)
        #expect(Set(backend.incomingSites()) == [Self.osaka, Self.turin] || kind == .simulated)
        #expect(try turin.byteCount(of: digest) == nil && backend.digests().isEmpty)
        // Once more after a crash that followed it: it changes nothing.
        for _ in 0..<2 { try backend.share(digest, from: osaka) }
        #expect(try read(backend.open(digest)) == Self.content && osaka.byteCount(of: digest) == 300)
        osaka.remove(digest)
        #expect(try read(backend.open(digest)) == Self.content)
        #expect(throws: BlobError(.missing, "")) { try backend.share(Digest(of: "x"), from: turin) }
        // Also from a backend of another kind.
        let memory = MemoryBlobs()
        try backend.share(publish([1, 2, 3], in: memory), from: memory)
        #expect(try read(backend.open(Digest(of: [1, 2, 3]))) == [1, 2, 3])
    }

    @Test(arguments: Kind.allCases) func aStoreOverItFindsWrongBytes(kind: Kind) throws {
        let backend = try make(kind)
        let store = BlobStore(backend, checkpointBytes: 64)
        let spool = try store.spool(Self.digest, byteCount: 300)
        for start in stride(from: 0, to: 300, by: 50) {
            try Self.content[start..<start + 50].withUnsafeBytes { _ = try spool.append($0, at: UInt64(start)) }
        }
        #expect(spool.isComplete)
        try store.verify(Self.digest)
        let wrong = try backend.draft()
        try [UInt8(1)].withUnsafeBytes { try wrong.write($0, at: 0) }
        try wrong.publish(as: Self.digest)
        #expect(throws: BlobError(.damaged, "")) { try store.verify(Self.digest) }
        #expect(throws: BlobError(.damaged, "")) { try BlobStore(backend).verify(Self.digest) }
        let file = directory.file("export")
        try store.export(Self.digest, to: file)
        #expect(try BlobStore.digest(ofFile: file).digest == Digest(of: [1]))
    }
}
