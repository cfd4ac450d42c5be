import Blobs

/// The configuration that a coordinator needs to run; `kumiai coordinator init` writes it as TOML.
package struct CoordinatorConfiguration: Equatable, Sendable {
    package var consortium: String
    package var host: String
    package var port: Int
    /// Paths of PEM files.
    package var authority: String
    package var certificate: String
    package var key: String
    /// The list of revoked certificates, PEM or DER, if there is one.
    package var revocations: String?
    /// The directory of the ledger, the blobs and the releases.
    package var dataDirectory: String
    package var heartbeatSeconds: Int
    package var aggregationThreads: Int

    package init(
        consortium: String,
        host: String,
        port: Int,
        authority: String,
        certificate: String,
        key: String,
        revocations: String? = nil,
        dataDirectory: String,
        heartbeatSeconds: Int = 5,
        aggregationThreads: Int = 2
    ) {
        self.consortium = consortium
        self.host = host
        self.port = port
        self.authority = authority
        self.certificate = certificate
        self.key = key
        self.revocations = revocations
        self.dataDirectory = dataDirectory
        self.heartbeatSeconds = heartbeatSeconds
        self.aggregationThreads = aggregationThreads
    }
}

/// The paths of the files in a coordinator's data directory.
package struct CoordinatorFiles: Sendable {
    package let directory: String

    package init(directory: String) { self.directory = directory }

    package var ledger: String { directory + "/ledger.sqlite" }
    package var seal: String { directory + "/ledger.seal" }
    package var logKey: String { directory + "/log.key" }
    package var blobs: String { directory + "/blobs" }
    /// Models that operators have sent but not registered yet.
    package var arrivingModels: String { directory + "/arriving-models" }
    package var releases: String { directory + "/releases" }
    package var authority: String { directory + "/ca.pem" }
    /// The newest tree head seen by a site that this ledger does not extend. Nothing is decided while this file exists.
    package var missingHistory: String { directory + "/missing-history.note" }
}

extension CoordinatorFiles {
    /// Takes the lock of a running coordinator on this directory.
    ///
    /// - Throws: `CoordinatorError` if the directory holds no ledger, or if another coordinator runs on it.
    func lockedForService() throws -> DirectoryLock {
        let disk = SystemDisk()
        guard disk.byteCount(ledger) != nil else {
            throw CoordinatorError(
                "\(directory) holds no ledger",
                hint: disk.byteCount(logKey) != nil
                    ? "log.key is there: restore ledger.sqlite, or mount the disk that it is on"
                    : "found the consortium first: kumiai coordinator init",
                file: directory
            )
        }
        // A full disk or an interrupted copy leaves an empty file, in which SQLite would start a new ledger.
        guard disk.byteCount(ledger) != 0 else {
            throw CoordinatorError(
                "\(ledger) is empty",
                hint: "restore it, with the files beside it; nothing was written"
            )
        }
        do {
            return try DirectoryLock(directory)
        } catch let error as BlobError where error.code == .busy {
            throw CoordinatorError(error.message, hint: "another coordinator runs on this directory: stop it first")
        }
    }
}
