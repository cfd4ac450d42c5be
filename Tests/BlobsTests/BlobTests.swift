import Federation
import Foundation
import Identity
import TestKit
import Testing

@testable import Blobs

/// The content-addressed store.
@Suite struct BlobTests {
    let directory: TemporaryDirectory
    let store: BlobStore
    static let content = (0..<20_000_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
    static let digest = Digest(of: content)

    init() throws {
        directory = try TemporaryDirectory()
        store = try BlobStore(directory: directory.path)
    }

    func append(_ spool: Spool, _ range: Range<Int>) throws { try Self.append(spool, range) }

    static func append(_ spool: Spool, _ range: Range<Int>) throws {
        for start in stride(from: range.lowerBound, to: range.upperBound, by: 262_144) {
            let end = min(range.upperBound, start + 262_144)
            try content[start..<end].withUnsafeBytes { _ = try spool.append($0, at: UInt64(start)) }
        }
    }

    /// Found by a tag if this process wrote the blob, and by the hash if another process wrote it.
    @Test func aByteThatChangesIsFoundByTheProcessThatWroteItAndByAnother() throws {
        let spool = try store.spool(Self.digest, byteCount: UInt64(Self.content.count))
        try append(spool, 0..<Self.content.count)
        let writer = try BlobWriter(store)
        try Self.content[..<1000].withUnsafeBytes { try writer.append($0) }
        let (made, count) = try writer.publish()
        #expect(made == Digest(of: Array(Self.content[..<1000])) && count == 1000)
        for digest in [Self.digest, made] {
            #expect(store.tags[digest] != nil)
            try store.verify(digest)
            try BlobStore(directory: directory.path).verify(digest)
            let file = try #require(FileHandle(forUpdatingAtPath: store.path(of: digest)))
            try file.seek(toOffset: 999)
            try file.write(contentsOf: [Self.content[999] ^ 1])
            #expect(throws: BlobError(.damaged, "")) { try store.verify(digest) }
            #expect(throws: BlobError(.damaged, "")) { try BlobStore(directory: directory.path).verify(digest) }
            try file.seek(toOffset: 999)
            try file.write(contentsOf: [Self.content[999], 0])
            if digest == made { #expect(throws: BlobError(.damaged, "")) { try store.verify(digest) } }
        }
    }

    @Test func whatIsWrittenAndNotPublishedIsRemoved() throws {
        var writer: BlobWriter? = try BlobWriter(store)
        try [UInt8](repeating: 1, count: 10).withUnsafeBytes { try writer?.append($0) }
        func drafts() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: directory.file("partial"))
        }
        #expect(try drafts().count == 1)
        writer = nil
        #expect(try drafts().isEmpty)
    }

    /// Written, hashed and made durable by three threads, as the intake does.
    @Test func thePartsOfASpoolGiveTheSameBlob() throws {
        let spool = try store.spool(Self.digest, byteCount: UInt64(Self.content.count))
        let half = 10_000_000
        for range in [0..<half, half..<Self.content.count] {
            try Self.content[range].withUnsafeBytes { try spool.write($0, at: UInt64(range.lowerBound)) }
            try spool.checkpoint()
            #expect(spool.durableBytes == UInt64(range.upperBound))
        }
        #expect(throws: BlobError(.wrongOffset, ""), "nothing of it is hashed") { try spool.finish() }
        for range in [0..<half, half..<Self.content.count] { Self.content[range].withUnsafeBytes { spool.hash($0) } }
        try spool.finish()
        #expect(spool.isComplete && store.contains(Self.digest))
    }

    @Test func whatAStoreMakesIsItsOwnersAlone() throws {
        let path = directory.file("new/data")
        _ = try BlobStore(directory: path)
        for name in [directory.file("new"), path, path + "/objects", path + "/partial"] {
            #expect(
                try FileManager.default.attributesOfItem(atPath: name)[.posixPermissions] as? Int == 0o700,
                "\(name)"
            )
        }
        try directory.write("file", [])
        #expect(throws: BlobError.self) { try SystemDisk().makeDirectory(directory.file("file")) }
    }

    @Test func blobIsPublishedWholeOrNotAtAll() throws {
        let spool = try store.spool(Self.digest, byteCount: UInt64(Self.content.count))
        try append(spool, 0..<19_000_000)
        #expect(!store.contains(Self.digest))
        try append(spool, 19_000_000..<20_000_000)
        #expect(spool.isComplete)
        #expect(store.byteCount(of: Self.digest) == 20_000_000)
        try store.verify(Self.digest)
        #expect(try store.all() == [Self.digest])
        #expect(try store.spool(Self.digest, byteCount: 20_000_000).isComplete)
    }

    @Test func afterAKillASpoolGoesOnAtTheLastByteThatWasWritten() throws {
        var spool: Spool? = try store.spool(Self.digest, byteCount: 20_000_000)
        try append(spool!, 0..<10_000_000)
        spool = nil
        spool = try store.spool(Self.digest, byteCount: 20_000_000)
        #expect(spool!.receivedBytes == 10_000_000 && spool!.durableBytes == 10_000_000)
        try append(spool!, 10_000_000..<20_000_000)
        try store.verify(Self.digest)
    }

    @Test func twoSpoolsOfOneBlobAreNeverOpenAtOnce() throws {
        let spool = try store.spool(Self.digest, byteCount: 20_000_000)
        #expect(throws: BlobError(.busy, "")) { try store.spool(Self.digest, byteCount: 20_000_000) }
        #expect(!spool.isComplete)
    }

    @Test func aDamagedBlobIsSetAsideAndComesInAgain() throws {
        let (digest, _) = try store.add(copyOf: directory.write("f", Array("abc".utf8)))
        try Data("abd".utf8).write(to: URL(fileURLWithPath: store.path(of: digest)))
        try store.setAside(digest)
        #expect(!store.contains(digest))
        let spool = try store.spool(digest, byteCount: 3)
        try Array("abc".utf8).withUnsafeBytes { _ = try spool.append($0, at: 0) }
        try store.verify(digest)
    }

    @Test func aDataDirectoryHasOneProcessAtATime() throws {
        let lock = try DirectoryLock(directory.path)
        #expect(throws: BlobError(.busy, "")) { try DirectoryLock(directory.path) }
        withExtendedLifetime(lock) {}
    }

    @Test func afterAStartOfTheMachineASpoolGoesOnAtTheLastDurableByte() throws {
        var spool: Spool? = try store.spool(Self.digest, byteCount: 20_000_000)
        try append(spool!, 0..<10_000_000)
        let checkpoint = spool!.durableBytes
        #expect(checkpoint >= Spool.checkpointBytes && checkpoint < 10_000_000)
        // Bytes that were written after the checkpoint are not trusted.
        spool = nil
        let store = BlobStore(try FileBlobs(directory: directory.path, disk: RestartedDisk(bootID: "another")))
        spool = try store.spool(Self.digest, byteCount: 20_000_000)
        #expect(spool!.durableBytes == checkpoint)
        try append(spool!, Int(checkpoint)..<12_000_000)
        try spool!.checkpoint()
        spool = nil
        spool = try store.spool(Self.digest, byteCount: 20_000_000)
        #expect(spool!.durableBytes == 12_000_000)
        try append(spool!, 12_000_000..<20_000_000)
        try store.verify(Self.digest)
    }

    @Test func bytesOutOfPlaceAreRefusedAndChangeNothing() throws {
        let spool = try store.spool(Self.digest, byteCount: 20_000_000)
        try append(spool, 0..<1_000_000)
        for offset in [0, 999_999, 1_000_001] as [UInt64] {
            #expect(throws: BlobError(.wrongOffset, "")) {
                try [UInt8(1)].withUnsafeBytes { try spool.append($0, at: offset) }
            }
        }
        try append(spool, 1_000_000..<20_000_000)
        #expect(spool.isComplete)
    }

    @Test func moreBytesThanAnnouncedAreRefused() throws {
        let spool = try store.spool(Digest(of: "abc"), byteCount: 2)
        #expect(throws: BlobError(.wrongOffset, "")) {
            try Array("abc".utf8).withUnsafeBytes { try spool.append($0, at: 0) }
        }
    }

    @Test func wrongContentIsDiscarded() throws {
        let spool = try store.spool(Digest(of: "abc"), byteCount: 3)
        #expect(throws: BlobError(.damaged, "")) {
            try Array("abd".utf8).withUnsafeBytes { try spool.append($0, at: 0) }
        }
        let again = try store.spool(Digest(of: "abc"), byteCount: 3)
        #expect(again.durableBytes == 0)
        try Array("abc".utf8).withUnsafeBytes { _ = try again.append($0, at: 0) }
        #expect(store.contains(Digest(of: "abc")))
    }

    @Test func damageIsFoundAndMissingBlobsAreNamed() throws {
        let file = try directory.write("f", Array("abc".utf8))
        let (digest, count) = try store.add(copyOf: file)
        #expect(count == 3 && digest == Digest(of: "abc"))
        try Data("abd".utf8).write(to: URL(fileURLWithPath: store.path(of: digest)))
        #expect(throws: BlobError(.damaged, "")) { try store.verify(digest) }
        #expect(throws: BlobError(.missing, "")) { try store.verify(Digest(of: "x")) }
        #expect(throws: BlobError(.missing, "")) { try BlobReader(store, Digest(of: "x")) }
    }

    // MARK: Uploads

    static let osaka = SiteID("acme/osaka")!
    static let turin = SiteID("bolt/turin")!
    static let abc = Digest(of: "abc")

    func send(_ bytes: String, _ site: SiteID, _ incoming: IncomingBlobs) throws {
        let spool = try incoming.store(of: site).spool(Digest(of: bytes), byteCount: UInt64(bytes.utf8.count))
        try Array(bytes.utf8).withUnsafeBytes { _ = try spool.append($0, at: 0) }
    }

    @Test func whatASiteHasSentIsNobodyElses() throws {
        let incoming = IncomingBlobs(store)
        try send("abc", Self.osaka, incoming)
        #expect(try incoming.store(of: Self.osaka).contains(Self.abc))
        #expect(try !incoming.store(of: Self.turin).contains(Self.abc) && !store.contains(Self.abc))
        // Another site starts at its own first byte, even while the first site sends, and even if the shared store
        // already has the blob.
        let theirs = try incoming.store(of: Self.turin).spool(Self.abc, byteCount: 3)
        #expect(theirs.receivedBytes == 0 && !theirs.isComplete)
        try store.add(copyOf: directory.write("f", Array("xyz".utf8)))
        #expect(try !incoming.store(of: Self.turin).spool(Digest(of: "xyz"), byteCount: 3).isComplete)
        #expect(incoming.sites() == [Self.osaka, Self.turin])
    }

    @Test func whatASiteHasSentIsStillItsOwnAfterARestart() throws {
        try send("abc", Self.osaka, IncomingBlobs(store))
        let incoming = IncomingBlobs(try BlobStore(directory: directory.path))
        #expect(incoming.sites() == [Self.osaka])
        #expect(try incoming.store(of: Self.osaka).spool(Self.abc, byteCount: 3).isComplete)
        #expect(try !incoming.store(of: Self.turin).spool(Self.abc, byteCount: 3).isComplete)
    }

    @Test func anAcceptedBlobIsSharedAndPublishingItAgainDoesNoHarm() throws {
        let incoming = IncomingBlobs(store)
        try send("abc", Self.osaka, incoming)
        // The state after a kill between the publication and the entry.
        for _ in 0..<2 { try incoming.publish(Self.abc, of: Self.osaka) }
        try store.verify(Self.abc)
        #expect(try incoming.store(of: Self.osaka).contains(Self.abc))
        incoming.remove(Self.abc, of: Self.osaka)
        try store.verify(Self.abc)
        #expect(try !incoming.store(of: Self.osaka).contains(Self.abc))
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path + "/partial").isEmpty)
        #expect(throws: BlobError(.missing, "")) { try incoming.publish(Self.abc, of: Self.turin) }
    }

    @Test func anAcceptedBlobTakesThePlaceOfADamagedOne() throws {
        let (digest, _) = try store.add(copyOf: directory.write("f", Array("abc".utf8)))
        try Data("abd".utf8).write(to: URL(fileURLWithPath: store.path(of: digest)))
        let incoming = IncomingBlobs(store)
        try send("abc", Self.osaka, incoming)
        try incoming.publish(digest, of: Self.osaka)
        try store.verify(digest)
    }

    @Test func aFileSystemWithoutHardLinksMovesAnAcceptedBlob() throws {
        let store = BlobStore(try FileBlobs(directory: directory.path, disk: LinklessDisk()))
        let incoming = IncomingBlobs(store)
        try send("abc", Self.osaka, incoming)
        try incoming.publish(Self.abc, of: Self.osaka)
        try store.verify(Self.abc)
    }

    @Test func blobsInTheFoldersOfTheFirstVersionsAreStillBlobs() throws {
        let folder = directory.file("objects/\(Self.abc.hex.prefix(2))"), path = "\(folder)/\(Self.abc.hex)"
        try SystemDisk().makeDirectory(folder)
        try SystemDisk().store(Array("abc".utf8), at: path)
        #expect(try store.all() == [Self.abc] && store.byteCount(of: Self.abc) == 3)
        try store.verify(Self.abc)
        try BlobStore(reading: directory.path).verify(Self.abc)
        #expect(try store.spool(Self.abc, byteCount: 3).isComplete)
        store.remove(Self.abc)
        #expect(try !store.contains(Self.abc) && store.all().isEmpty && SystemDisk().byteCount(path) == nil)
    }

    @Test func aSmallUploadKeepsNoRecordOfWhatIsDurableUnlessItIsInterrupted() throws {
        let content = Array(Self.content[..<1_000_000]), digest = Digest(of: content), size = UInt64(content.count)
        func names() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: directory.file("partial"))
        }
        func send(_ range: Range<Int>, to spool: Spool) throws {
            try content[range].withUnsafeBytes { _ = try spool.append($0, at: UInt64(range.lowerBound)) }
        }
        var spool: Spool? = try store.spool(digest, byteCount: size)
        try send(0..<500_000, to: spool!)
        #expect(try names() == [digest.hex] && spool!.durableBytes == 0)
        // The process is killed: nothing says how much of the file is whole.
        spool = nil
        spool = try store.spool(digest, byteCount: size)
        #expect(spool!.receivedBytes == 0)
        try send(0..<500_000, to: spool!)
        // The sender leaves.
        try spool!.checkpoint()
        #expect(try names().count == 2)
        spool = nil
        spool = try store.spool(digest, byteCount: size)
        #expect(spool!.receivedBytes == 500_000 && spool!.durableBytes == 500_000)
        try send(500_000..<1_000_000, to: spool!)
        #expect(try names().isEmpty && store.contains(digest))
    }

    @Test func aLargerUploadGoesOnAtTheLastByteEvenIfTheProcessIsKilledBeforeACheckpoint() throws {
        var spool: Spool? = try store.spool(Self.digest, byteCount: 20_000_000)
        try append(spool!, 0..<1_500_000)
        #expect(spool!.durableBytes == 0)
        spool = nil
        spool = try store.spool(Self.digest, byteCount: 20_000_000)
        #expect(spool!.receivedBytes == 1_500_000 && spool!.durableBytes == 1_500_000)
        // After a restart of the machine, bytes of which no checkpoint was made do not count.
        spool = nil
        let other = BlobStore(try FileBlobs(directory: directory.path, disk: RestartedDisk(bootID: "another")))
        #expect(try other.spool(Self.digest, byteCount: 20_000_000).receivedBytes == 1_500_000)
        try append(store.spool(Self.digest, byteCount: 20_000_000), 1_500_000..<2_000_000)
        #expect(try other.spool(Self.digest, byteCount: 20_000_000).receivedBytes == 1_500_000)
    }

    @Test func readerStartsAnywhere() throws {
        try store.add(copyOf: directory.write("f", Array("0123456789".utf8)))
        let reader = try BlobReader(store, Digest(of: "0123456789"))
        var buffer = [UInt8](repeating: 0, count: 8)
        #expect(try buffer.withUnsafeMutableBytes { try reader.read(into: $0, at: 6) } == 4)
        #expect(buffer.prefix(4).elementsEqual("6789".utf8))
    }
}
