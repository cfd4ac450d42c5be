import Federation
import Identity
import Synchronization

/// A content-addressed store: files named by their SHA-256, each either complete or absent.
///
/// `objects/ab/abcd…` are published blobs, `partial/abcd…` are being received, `damaged/abcd…` were found not to match
/// their name, and `incoming` holds the stores of ``IncomingBlobs``. A blob is published by a rename once its bytes are
/// on the disk and its hash is verified, so a reader never sees a partial blob.
public final class BlobStore: Sendable {
    public let directory: String
    let disk: any Disk
    /// The number of bytes between two checkpoints of a spool.
    let checkpointBytes: UInt64
    private var objects: String { directory + "/objects" }
    private var partial: String { directory + "/partial" }
    private var damaged: String { directory + "/damaged" }
    /// Open spools: two writers of one file would publish a mixture.
    private let spooling = Mutex<Set<Digest>>([])
    private let temporaries = Mutex(0)
    let tags = BlobTags()
    /// Whether all blobs are in one folder. Used for stores with few blobs, because there may be thousands of such
    /// stores and each of them is scanned.
    private let isFlat: Bool

    /// Opens or creates a store.
    ///
    /// - Throws: `BlobError` if the directories cannot be created.
    public convenience init(
        directory: String,
        disk: any Disk = SystemDisk(),
        checkpointBytes: UInt64 = Spool.checkpointBytes
    ) throws {
        try self.init(directory: directory, disk: disk, checkpointBytes: checkpointBytes, isFlat: false)
    }

    init(directory: String, disk: any Disk, checkpointBytes: UInt64, isFlat: Bool) throws {
        self.directory = directory
        self.isFlat = isFlat
        self.disk = disk
        self.checkpointBytes = checkpointBytes
        try disk.makeDirectory(objects)
        try disk.makeDirectory(partial)
    }

    /// Opens a store for reading; creates nothing.
    public init(reading directory: String) {
        self.directory = directory
        disk = SystemDisk()
        checkpointBytes = Spool.checkpointBytes
        isFlat = false
    }

    /// Where a blob's file is: for this store, for what simulates its disk, and for tests. Others read the blob through the
    /// store, or let it write a file of theirs.
    package func path(of digest: Digest) -> String { "\(folder(of: digest))/\(digest.hex)" }
    private func folder(of digest: Digest) -> String { isFlat ? objects : "\(objects)/\(digest.hex.prefix(2))" }
    func partialPath(of digest: Digest) -> String { "\(partial)/\(digest.hex)" }

    /// Returns the blob's size; `nil` if the store does not hold it.
    public func byteCount(of digest: Digest) -> UInt64? { disk.byteCount(path(of: digest)) }
    public func contains(_ digest: Digest) -> Bool { byteCount(of: digest) != nil }

    /// Opens a published blob's file for reading.
    ///
    /// - Throws: `BlobError` if the blob is missing or cannot be opened.
    public func open(_ digest: Digest) throws -> any DiskFile { try disk.open(path(of: digest), .reading) }

    /// Writes a blob to a new file, whose bytes are on the disk when this returns.
    ///
    /// - Parameters:
    ///   - digest: The blob's name.
    ///   - path: There must be nothing at it.
    ///   - isShared: Whether the file may be a hard link to the store's, because nothing will change it.
    /// - Throws: `BlobError` if the blob is missing or the file cannot be written.
    public func export(_ digest: Digest, to path: String, isShared: Bool = false) throws {
        if isShared, contains(digest), (try? disk.link(self.path(of: digest), to: path)) != nil { return }
        let source = try open(digest)
        guard disk.byteCount(path) == nil else { throw BlobError(.failed, "\(path) already exists") }
        let target = try disk.open(path, .replacing)
        do {
            try Self.forEachBlock(of: source) { try target.write($0, at: $1) }
            try target.synchronise()
        } catch {
            disk.remove(path)
            throw error
        }
    }

    /// Takes a blob of another store on the same file system; the other store does not have it afterwards.
    ///
    /// - Throws: `BlobError` if the blob is missing, its bytes are not those of its name, or it cannot be moved.
    public func take(_ digest: Digest, from other: BlobStore) throws {
        try other.verify(digest)
        try share(digest, from: other)
        other.remove(digest)
    }

    // MARK: Receiving blobs

    /// Starts or resumes receiving a blob; only one spool per blob can be open.
    ///
    /// - Parameters:
    ///   - digest: The blob's name.
    ///   - byteCount: The blob's size.
    ///   - observer: Sees all bytes, including those that arrived before; not called if the blob is already here.
    /// - Throws: `BlobError` if the blob is already being written or its files cannot be opened.
    public func spool(_ digest: Digest, byteCount: UInt64, observer: (any SpoolObserver)? = nil) throws -> Spool {
        guard spooling.withLock({ $0.insert(digest).inserted }) else {
            throw BlobError(.busy, "blob \(digest.short) is being written already")
        }
        do {
            let spool = try Spool(store: self, digest: digest, byteCount: byteCount, observer: observer)
            if spool.isComplete { closed(digest) }
            return spool
        } catch {
            closed(digest)
            throw error
        }
    }

    func closed(_ digest: Digest) { spooling.withLock { _ = $0.remove(digest) } }

    /// Moves a durable file of this file system into the store by a rename. The file must not change any more.
    ///
    /// - Returns: The blob's digest and size.
    /// - Throws: `BlobError` if the file cannot be read or moved.
    @discardableResult
    public func adopt(_ file: String) throws -> (digest: Digest, byteCount: UInt64) {
        let (digest, byteCount) = try digest(ofFile: file)
        // Replace an existing blob of that name too: it may be damaged, and this one is not.
        try publish(file, as: digest)
        return (digest, byteCount)
    }

    /// Copies a file into the store.
    ///
    /// - Returns: The blob's digest and size.
    /// - Throws: `BlobError` if the file cannot be read or the copy cannot be written.
    @discardableResult
    public func add(copyOf file: String) throws -> (digest: Digest, byteCount: UInt64) {
        let copy = temporaryPath()
        do {
            let target = try disk.open(copy, .replacing)
            try Self.forEachBlock(of: try disk.open(file, .reading)) { try target.write($0, at: $1) }
            try target.synchronise()
            return try adopt(copy)
        } catch {
            disk.remove(copy)
            throw error
        }
    }

    /// Returns a path for a new file that ``adopt(_:)`` will move into the store.
    public func temporaryPath() -> String {
        let number = temporaries.withLock { count in
            count += 1
            return count
        }
        return "\(partial)/new-\(number)"
    }

    /// Creates a file at a temporary path.
    ///
    /// - Throws: `BlobError` if the file cannot be created.
    public func create(_ path: String) throws -> any DiskFile { try disk.open(path, .replacing) }
    /// Removes a file at a temporary path, if it is still there.
    public func discard(_ path: String) { disk.remove(path) }

    func publish(_ file: String, as digest: Digest) throws {
        let folder = folder(of: digest)
        let isNew = disk.byteCount(folder) == nil
        try disk.makeDirectory(folder)
        try disk.rename(file, to: path(of: digest))
        try disk.synchronise(directory: folder)
        if isNew { try disk.synchronise(directory: objects) }
    }

    /// Adds a hard link to a blob of another store on the same file system. The other store's spool has already hashed
    /// the bytes and made them durable.
    func share(_ digest: Digest, from other: BlobStore) throws {
        tags[digest] = other.tags[digest]
        let file = temporaryPath()
        // If both are already links to the same file, POSIX rename does nothing and leaves both names.
        defer { disk.remove(file) }
        do {
            try disk.link(other.path(of: digest), to: file)
        } catch let error as BlobError where error.code == .failed {
            // The file system has no hard links: move the blob instead.
            return try publish(other.path(of: digest), as: digest)
        }
        try publish(file, as: digest)
    }

    // MARK: Maintenance

    /// Reads a published blob again and compares it with the tag that this process made, or, if there is none, its hash
    /// with its name.
    ///
    /// - Parameters:
    ///   - digest: The blob's name.
    ///   - expected: The blob's size, if it is known; a blob of another size is reported without being read.
    /// - Throws: `BlobError` if the blob is missing or damaged, or cannot be read.
    public func verify(_ digest: Digest, byteCount expected: UInt64? = nil) throws {
        guard let size = byteCount(of: digest) else { throw BlobError(.missing, "blob \(digest.hex) is missing") }
        guard expected == nil || size == expected else {
            throw BlobError(.damaged, "blob \(digest.hex) is damaged: it has \(size) bytes; expected \(expected!)")
        }
        guard try hasItsBytes(digest) else {
            throw BlobError(.damaged, "blob \(digest.hex) is damaged: its bytes have another hash")
        }
    }

    /// Compares the bytes with the tag that this process computed earlier, or, if there is none, their hash with the
    /// name.
    private func hasItsBytes(_ digest: Digest) throws -> Bool {
        let file = try open(digest)
        guard let tag = tags[digest] else { return try Self.digest(of: file).digest == digest }
        let tagger = ContentTagger(again: tag)
        try Self.forEachBlock(of: file) { bytes, _ in tagger.update(bytes) }
        return tagger.finish() == tag
    }

    /// Moves a damaged blob aside, so that it can be fetched again; it is kept for investigation.
    ///
    /// - Throws: `BlobError` if the blob cannot be moved.
    public func setAside(_ digest: Digest) throws {
        try disk.makeDirectory(damaged)
        try disk.rename(path(of: digest), to: "\(damaged)/\(digest.hex)")
        try disk.synchronise(directory: folder(of: digest))
    }

    /// Returns the digests of all published blobs, sorted.
    ///
    /// - Throws: `BlobError` if the directories cannot be read.
    public func all() throws -> [Digest] {
        let names = disk.names(in: objects)
        return (isFlat ? names : names.flatMap { disk.names(in: objects + "/" + $0) }).compactMap(Digest.init(hex:))
            .sorted()
    }

    public func remove(_ digest: Digest) {
        tags[digest] = nil
        disk.remove(path(of: digest))
    }

    /// Returns the digests of blobs that have been received only in part, sorted.
    public func unfinished() -> [Digest] { disk.names(in: partial).compactMap(Digest.init(hex:)).sorted() }

    public func unfinishedByteCount(_ digest: Digest) -> UInt64 { disk.byteCount(partialPath(of: digest)) ?? 0 }

    /// Removes what has arrived of a blob, unless it is being received now.
    public func removeUnfinished(_ digest: Digest) {
        guard !spooling.withLock({ $0.contains(digest) }) else { return }
        disk.remove(partialPath(of: digest))
        disk.remove(DurabilityRecord.path(partialPath(of: digest)))
    }

    /// Removes temporary files of earlier runs, but keeps transfers that can be resumed.
    public func removeLeftovers() {
        for name in disk.names(in: partial) where name.hasPrefix("new-") { disk.remove("\(partial)/\(name)") }
    }

    /// Removes all blobs, including those received only in part.
    public func removeAll() {
        removeLeftovers()
        for digest in (try? all()) ?? [] { remove(digest) }
        for digest in unfinished() { removeUnfinished(digest) }
    }

    // MARK: Hashing

    /// Returns the SHA-256 and the size of a file on this store's disk.
    ///
    /// - Throws: `BlobError` if the file cannot be read.
    public func digest(ofFile path: String) throws -> (digest: Digest, byteCount: UInt64) {
        try Self.digest(of: disk.open(path, .reading))
    }

    /// Returns the SHA-256 and the size of a file on this machine.
    ///
    /// - Throws: `BlobError` if the file cannot be read.
    public static func digest(ofFile path: String) throws -> (digest: Digest, byteCount: UInt64) {
        try digest(of: SystemDisk().open(path, .reading))
    }

    private static func digest(of file: any DiskFile) throws -> (digest: Digest, byteCount: UInt64) {
        let hash = SHA256()
        let total = try forEachBlock(of: file) { bytes, _ in hash.update(bytes) }
        return (hash.finish(), total)
    }

    /// Reads a file block by block, up to `end` or to its own end; returns the number of bytes read.
    @discardableResult
    static func forEachBlock(
        of file: any DiskFile,
        upTo end: UInt64 = .max,
        _ body: (UnsafeRawBufferPointer, UInt64) throws -> Void
    ) throws -> UInt64 {
        let size = min(end, try file.byteCount)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(min(1 << 20, max(1, size))), alignment: 64)
        defer { buffer.deallocate() }
        var offset: UInt64 = 0
        while offset < end {
            let wanted = Int(min(UInt64(buffer.count), end - offset))
            let count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]), at: offset)
            if count == 0 { break }
            try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]), offset)
            offset += UInt64(count)
        }
        return offset
    }
}
