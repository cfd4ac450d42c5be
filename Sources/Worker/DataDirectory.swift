import Blobs
import Federation
import Foundation

/// A worker's data directory, which belongs to one site and is used by one process at a time.
package struct DataDirectory {
    private let path: String
    private var ownerPath: String { path + "/site" }

    /// - Parameter path: The directory's path; there may be nothing at it yet.
    package init(_ path: String) { self.path = path }

    /// Creates the directory if it is missing, locks it and makes it the site's.
    ///
    /// - Parameter site: The site of this worker's certificate.
    /// - Returns: The lock, which is released with its last reference.
    /// - Throws: ``WorkerError`` if it is another site's, another process uses it, or it cannot be created.
    func claim(for site: SiteID) throws -> DirectoryLock {
        let lock = try lock()
        if let owner = try owner() {
            try require(owner, is: site)
        } else {
            do { try SystemDisk().store(Array("\(site)\n".utf8), at: ownerPath) } catch let error as BlobError
                where error.code == .full
            {
                // A worker starts on a full disk too, and waits for room; the next start writes the owner.
            }
        }
        return lock
    }

    /// Checks that the directory is not another site's; one without an owner, as of earlier versions, is anybody's.
    ///
    /// - Parameter site: The site of this worker's certificate.
    /// - Throws: ``WorkerError`` if it is another site's; `BlobError` if that cannot be read.
    package func requireOwner(_ site: SiteID) throws {
        if let owner = try owner() { try require(owner, is: site) }
    }

    private func owner() throws -> String? {
        try SystemDisk().contents(of: ownerPath, atMost: 4096).map {
            String(decoding: $0, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        }
    }

    private func require(_ owner: String, is site: SiteID) throws {
        guard owner != "\(site)" else { return }
        throw WorkerError(
            "\(path) holds the receipts and the outbox of \(DisplayText.escaped(owner)), not of \(site)",
            hint: "each site has its own data directory: name this site's in worker.toml: data",
            file: path
        )
    }

    private func lock() throws -> DirectoryLock {
        var isDirectory: ObjCBool = false
        guard !FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) || isDirectory.boolValue else {
            throw WorkerError(
                "\(path) is not a directory",
                hint: "name the worker's directory; a worker makes it if it is not there",
                file: path
            )
        }
        do {
            return try DirectoryLock(path)
        } catch let error as BlobError where error.code == .busy {
            throw WorkerError(error.message, hint: "another worker uses this directory: stop it first")
        } catch let error as BlobError where error.code != .full {
            throw WorkerError(
                error.message,
                hint: "name a directory in worker.toml, data, that this user can create and write",
                file: path
            )
        }
    }
}
