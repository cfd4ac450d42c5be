import Federation
import Synchronization

/// Blobs as files of a directory.
///
/// `objects/abcd…` are published blobs, `partial/abcd…` are being received, `damaged/abcd…` were found not to match their
/// name, and `incoming/<member>/<site>` are the places of the sites' uploads. A blob is published by a rename once its
/// bytes are on the disk, so a reader never sees a partial blob.
public final class FileBlobs: BlobBackend {
    let directory: String
    let disk: any Disk
    /// An upload of at most this many bytes starts from its beginning after a kill.
    let smallBytes: UInt64
    private var objects: String { directory + "/objects" }
    private var partial: String { directory + "/partial" }
    private var damaged: String { directory + "/damaged" }
    private let drafts = Mutex(0)

    /// Opens or creates a directory of blobs.
    ///
    /// - Parameters:
    ///   - directory: The directory's path.
    ///   - disk: The disk that holds it.
    ///   - smallBytes: An upload of at most this many bytes starts from its beginning after a kill.
    /// - Throws: `BlobError` if the directories cannot be created.
    public init(directory: String, disk: any Disk = SystemDisk(), smallBytes: UInt64 = FileBlobs.smallBytes) throws {
        self.directory = directory
        self.disk = disk
        self.smallBytes = smallBytes
        try disk.makeDirectory(objects)
        try disk.makeDirectory(partial)
    }

    /// Opens a directory for reading; creates nothing.
    ///
    /// - Parameter directory: The directory's path.
    public init(reading directory: String) {
        self.directory = directory
        disk = SystemDisk()
        smallBytes = Self.smallBytes
    }

    public static let smallBytes: UInt64 = 1 << 20

    public var place: String { directory }
    public var freeBytes: UInt64? { SystemDisk.freeBytes(at: directory) }

    // MARK: Published blobs

    /// Where a blob's file is, or will be.
    package func path(of digest: Digest) -> String {
        let path = usualPath(of: digest), earlier = earlierPath(of: digest)
        return disk.byteCount(path) == nil && disk.byteCount(earlier) != nil ? earlier : path
    }

    private func usualPath(of digest: Digest) -> String { "\(objects)/\(digest.hex)" }

    /// Where the first versions kept a blob: in one of 256 folders. Each new folder took another two operations to become
    /// durable, and each listing had to read all of them.
    private func earlierPath(of digest: Digest) -> String { "\(objects)/\(digest.hex.prefix(2))/\(digest.hex)" }

    /// Returns a blob's size in bytes; `nil` if there is none of this name.
    ///
    /// - Parameter digest: The blob's name.
    public func byteCount(of digest: Digest) -> UInt64? {
        disk.byteCount(usualPath(of: digest)) ?? disk.byteCount(earlierPath(of: digest))
    }

    /// Opens a blob for reading at any offset.
    ///
    /// - Parameter digest: The blob's name.
    /// - Returns: The blob's file.
    /// - Throws: `BlobError` if it is missing or cannot be opened.
    public func open(_ digest: Digest) throws -> any BlobContents { try disk.open(path(of: digest), .reading) }

    /// Returns the names of all blobs, in any order; files with other names are ignored.
    ///
    /// - Throws: Nothing: a directory that cannot be listed counts as empty.
    public func digests() throws -> [Digest] {
        disk.names(in: objects).flatMap { name in
            name.utf8.count == 2 ? disk.names(in: "\(objects)/\(name)").filter { $0.hasPrefix(name) } : [name]
        }.compactMap(Digest.init(hex:))
    }

    /// Removes a blob; does nothing if there is none of this name. What is being received stays.
    ///
    /// - Parameter digest: The blob's name.
    public func remove(_ digest: Digest) {
        disk.remove(usualPath(of: digest))
        disk.remove(earlierPath(of: digest))
    }

    /// Moves a damaged blob to `damaged`.
    ///
    /// - Parameter digest: The blob's name.
    /// - Throws: `BlobError` if it is missing or cannot be moved.
    public func setAside(_ digest: Digest) throws {
        let path = path(of: digest)
        try disk.makeDirectory(damaged)
        var target = "\(damaged)/\(digest.hex)", number = 1
        // What was set aside before is evidence too.
        while disk.byteCount(target) != nil { (target, number) = ("\(damaged)/\(digest.hex).\(number)", number + 1) }
        try disk.rename(path, to: target)
        for folder in [damaged, directory, SystemDisk.folder(of: path)] { try disk.synchronise(directory: folder) }
    }

    /// Adds a blob that another backend holds, which keeps it: as a hard link where the file system has them, otherwise
    /// as a copy. It is durable when this returns.
    ///
    /// - Parameters:
    ///   - digest: The blob's name.
    ///   - other: The backend that holds the blob.
    /// - Throws: `BlobError` if the other one does not hold it, or it cannot be added durably.
    public func share(_ digest: Digest, from other: any BlobBackend) throws {
        guard let other = other as? FileBlobs else { return try copy(digest, from: other) }
        let file = draftPath()
        // If both are already links to the same file, POSIX rename does nothing and leaves both names.
        defer { disk.remove(file) }
        do {
            try disk.link(other.path(of: digest), to: file)
        } catch let error as BlobError where error.code == .failed {
            // The file system has no hard links.
            return try copy(digest, from: other)
        }
        try publish(file, as: digest)
    }

    private func copy(_ digest: Digest, from other: any BlobBackend) throws {
        let file = draftPath()
        try disk.copy(other.open(digest), to: file)
        try publish(file, as: digest)
    }

    /// Makes a hard link to a blob's file.
    ///
    /// - Parameters:
    ///   - digest: The blob's name.
    ///   - path: Where the link will be; there must be nothing.
    /// - Returns: Whether it could, which it cannot on another file system; if not, the bytes must be copied.
    public func link(_ digest: Digest, to path: String) -> Bool {
        (try? disk.link(self.path(of: digest), to: path)) != nil
    }

    /// Renames a durable file to its place as a blob; durable when this returns.
    func publish(_ file: String, as digest: Digest) throws {
        try disk.rename(file, to: usualPath(of: digest))
        try disk.synchronise(directory: objects)
    }

    // MARK: Blobs in progress

    /// Creates an empty draft in `partial`, which does not outlast the process.
    ///
    /// - Throws: `BlobError` if it cannot be created.
    public func draft() throws -> any BlobDraft { try FileDraft(self, draftPath()) }

    private func draftPath() -> String {
        let number = drafts.withLock { count in
            count += 1
            return count
        }
        return "\(partial)/new-\(number)"
    }

    /// Starts or resumes the upload of a blob.
    ///
    /// - Parameters:
    ///   - digest: The name under which it will be published.
    ///   - byteCount: The blob's size in bytes; what an earlier upload has beyond it is cut off.
    /// - Returns: The draft, with the bytes of an earlier upload that can be relied on.
    /// - Throws: `BlobError` if it cannot be opened.
    public func upload(_ digest: Digest, byteCount: UInt64) throws -> any BlobDraft {
        try FileDraft(self, resuming: partialPath(of: digest), byteCount: byteCount)
    }

    /// Gives a file of which there is another name a copy of its own.
    func separate(_ path: String) throws {
        let copy = draftPath()
        try disk.copy(disk.open(path, .reading), to: copy)
        try disk.rename(copy, to: path)
        try disk.synchronise(directory: partial)
    }

    private func partialPath(of digest: Digest) -> String { "\(partial)/\(digest.hex)" }

    /// Returns the uploads that were begun and not finished, with the sizes of their files in bytes.
    public func unfinished() -> [Digest: UInt64] {
        var found: [Digest: UInt64] = [:]
        for digest in disk.names(in: partial).compactMap(Digest.init(hex:)) {
            found[digest] = disk.byteCount(partialPath(of: digest))
        }
        return found
    }

    /// Removes what has arrived of an upload; does nothing if there is none of this name.
    ///
    /// - Parameter digest: The blob's name.
    public func removeUnfinished(_ digest: Digest) {
        disk.remove(partialPath(of: digest))
        disk.remove(DurabilityRecord.path(partialPath(of: digest)))
    }

    /// Removes the drafts of earlier processes; uploads are kept. Must not be called while a draft is open.
    public func removeDrafts() {
        let names = Set(disk.names(in: partial))
        for name in names {
            // A record without its blob: the process was killed after it had published the blob.
            let blob = DurabilityRecord.blob(of: name)
            if name.hasPrefix("new-") || blob.map({ !names.contains($0) }) == true { disk.remove("\(partial)/\(name)") }
        }
    }

    // MARK: The sites' uploads

    private var incoming: String { directory + "/incoming" }

    /// Returns the place of one site's uploads, `incoming/<member>/<site>`; creates it, durably, if it is missing.
    ///
    /// - Parameter site: The site.
    /// - Throws: `BlobError` if it cannot be created.
    public func incoming(of site: SiteID) throws -> any BlobBackend {
        let path = "\(incoming)/\(site)"
        let place = try FileBlobs(directory: path, disk: disk, smallBytes: smallBytes)
        // Bytes reported as durable also need their parent directories to be durable.
        for path in [path, "\(incoming)/\(site.member)", incoming, directory] {
            try disk.synchronise(directory: path)
        }
        return place
    }

    /// Returns the sites that have a folder in `incoming`, in any order.
    public func incomingSites() -> [SiteID] {
        disk.names(in: incoming).flatMap { member in
            disk.names(in: "\(incoming)/\(member)").compactMap { SiteID("\(member)/\($0)") }
        }
    }
}
