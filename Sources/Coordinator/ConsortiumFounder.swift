import Blobs
import Federation
import Foundation
import Identity
import Ledger

/// Begins a consortium's ledger: the log's key, the founding entry, and the base model.
public struct ConsortiumFounder {
    private let configuration: CoordinatorConfiguration
    private let files: CoordinatorFiles

    public init(_ configuration: CoordinatorConfiguration) {
        self.configuration = configuration
        files = CoordinatorFiles(directory: configuration.dataDirectory)
    }

    /// Makes the data directory. Throws where a ledger is there already.
    public func found(base: ModelName, modelPath: String, at now: Timestamp) throws -> ModelReference {
        guard !FileManager.default.fileExists(atPath: files.ledger) else {
            throw CoordinatorError("\(files.directory) holds a ledger already", hint: "a consortium is founded once; choose another directory")
        }
        let authority = try Certificate(pem: readFile(configuration.authority))
        let certificate = try Certificate(pem: readFile(configuration.certificate))
        let key = try PrivateKey(pem: readFile(configuration.key))
        try checkIdentity(certificate, key, authority, at: now)
        try FileManager.default.createDirectory(atPath: files.releases, withIntermediateDirectories: true)
        let model = try ModelImport(BlobStore(directory: files.blobs)).add(modelPath)
        let logKey = try PrivateKey.generate(.ed25519)
        try writePrivate(logKey.pem(), to: files.logKey)
        try SystemDisk().store(authority.pem(), at: files.authority)
        let publicKey = try logKey.publicKey.ed25519Bytes()
        let founding = Founding(
            consortium: configuration.consortium, authority: authority.digest, logKey: publicKey,
            coordinatorCertificate: certificate.der,
            logKeySignature: try key.sign(Founding.logKeyStatement(publicKey)))
        let ledger = try Ledger(
            consortium: configuration.consortium, store: try SQLiteEntryStore(path: files.ledger), key: logKey)
        try ledger.append([Entry(at: now, .founded(founding)), Entry(at: now, .modelRegistered(base, model))])
        try ledger.close()
        return model
    }

    private func checkIdentity(_ certificate: Certificate, _ key: PrivateKey, _ authority: Certificate, at now: Timestamp) throws {
        let principal = try TrustRoots([authority]).verify(certificate, at: now)
        guard principal.isCoordinator, principal.consortium == configuration.consortium else {
            throw CoordinatorError(
                "\(configuration.certificate) is the certificate of \(principal)",
                hint: "the coordinator needs spiffe://\(configuration.consortium)/coordinator/NAME")
        }
        guard try certificate.matches(key) else {
            throw CoordinatorError("\(configuration.key) is not the key of \(configuration.certificate)")
        }
    }
}

/// Something that the operator must mend.
public struct CoordinatorError: Error, Equatable, Sendable, CustomStringConvertible {
    public let message: String
    public let hint: String
    public init(_ message: String, hint: String = "") {
        self.message = message
        self.hint = hint
    }
    public var description: String { message }
}

func readFile(_ path: String) throws -> [UInt8] {
    guard let data = FileManager.default.contents(atPath: path) else {
        throw CoordinatorError("cannot read \(path)", hint: "is the path right, and may this user read it?")
    }
    return Array(data)
}

/// Writes a file that only its owner may read.
func writePrivate(_ bytes: [UInt8], to path: String) throws {
    guard FileManager.default.createFile(atPath: path, contents: Data(bytes), attributes: [.posixPermissions: 0o600]) else {
        throw CoordinatorError("cannot write \(path)")
    }
    // A ledger whose key is lost can never be written again.
    try synchronise(path)
    try synchronise((path as NSString).deletingLastPathComponent)
}
