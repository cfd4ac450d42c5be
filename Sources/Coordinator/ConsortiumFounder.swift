import Blobs
import Federation
import Foundation
import Identity
import Ledger

/// Creates a consortium's ledger: the log key, the genesis entry and the base model.
package struct ConsortiumFounder {
    private let configuration: CoordinatorConfiguration
    private let files: CoordinatorFiles

    package init(_ configuration: CoordinatorConfiguration) {
        self.configuration = configuration
        files = CoordinatorFiles(directory: configuration.dataDirectory)
    }

    /// Creates the data directory and its ledger.
    ///
    /// - Returns: The base model as the genesis entry names it.
    /// - Throws: `CoordinatorError` if the directory already holds a ledger or parts of one, or if the identity or the
    ///   model is not valid.
    package func found(base: ModelName, modelPath: String, at now: Timestamp) throws -> ModelReference {
        guard !FileManager.default.fileExists(atPath: files.ledger) else {
            throw CoordinatorError(
                "\(files.directory) already holds a ledger",
                hint: "a consortium is founded once; choose another directory"
            )
        }
        try requireNoRemains()
        let authority = try IdentityFile.certificates(configuration.authority)[0]
        let certificate = try IdentityFile.certificates(configuration.certificate)[0]
        let key = try IdentityFile.key(configuration.key)
        try checkIdentity(certificate, key, authority, at: now)
        try SystemDisk().makeDirectory(files.releases)
        let model = try ModelImport(BlobStore(directory: files.blobs)).add(modelPath)
        let logKey = try PrivateKey.generate(.ed25519)
        // Without its key a ledger can never be extended again: create a new key, and never overwrite an existing one.
        try IdentityFile.create(logKey, at: files.logKey)
        try SystemDisk().store(authority.pem(), at: files.authority)
        let publicKey = try logKey.publicKey.ed25519Bytes()
        let genesis = Genesis(
            consortium: configuration.consortium,
            authority: authority.digest,
            logKey: publicKey,
            coordinatorCertificate: certificate.der,
            logKeySignature: try key.sign(Genesis.logKeyStatement(publicKey))
        )
        let ledger = try Ledger(
            consortium: configuration.consortium,
            store: try SQLiteLedger(path: files.ledger),
            key: logKey
        )
        try ledger.append([Entry(at: now, .founded(genesis)), Entry(at: now, .modelRegistered(base, model, by: ""))])
        try ledger.close()
        return model
    }

    /// Throws if the directory holds the key or the seal of a ledger that is missing, because a disk is not mounted or
    /// a backup was only partly restored. A new key in its place would make that ledger worthless.
    private func requireNoRemains() throws {
        for path in [files.logKey, files.seal] where FileManager.default.fileExists(atPath: path) {
            throw CoordinatorError(
                """
                \(files.directory) holds \(SystemDisk.name(of: path)) of a ledger, but not the ledger: nothing was \
                changed
                """,
                hint: """
                    restore ledger.sqlite, or mount the disk that it is on; only if there never was one, \
                    because an earlier init was interrupted, move log.key away and run init again
                    """,
                file: files.directory
            )
        }
    }

    private func checkIdentity(
        _ certificate: Certificate,
        _ key: PrivateKey,
        _ authority: Certificate,
        at now: Timestamp
    ) throws {
        let principal = try TrustRoots([authority]).verify([certificate], in: configuration.certificate, at: now)
        guard principal.isCoordinator, principal.consortium == configuration.consortium else {
            throw CoordinatorError(
                "\(configuration.certificate) is the certificate of \(principal)",
                hint: "the coordinator needs spiffe://\(configuration.consortium)/coordinator/NAME",
                file: configuration.certificate
            )
        }
        guard try certificate.matches(key) else {
            throw CoordinatorError(
                "\(configuration.key) is not the key of \(configuration.certificate)",
                hint: "put a key and a certificate there that belong together",
                file: configuration.key
            )
        }
    }
}

/// An operating failure that the operator must fix.
package struct CoordinatorError: Error, Equatable, Sendable, CustomStringConvertible {
    package let message: String
    package let hint: String
    /// What the configuration names and the error is about: this file or directory is wrong or missing.
    package let file: String?
    package init(_ message: String, hint: String = "", file: String? = nil) {
        self.message = message
        self.hint = hint
        self.file = file
    }
    package var description: String { message }
}
