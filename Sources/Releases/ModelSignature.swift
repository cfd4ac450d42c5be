import Federation
import Foundation
import Identity
import Tensors

/// A detached signature over the digests of a directory's files: an OpenSSF Model Signing v1.0 bundle (Sigstore bundle,
/// DSSE envelope, in-toto statement), method "certificate", ECDSA over SHA-256.
public enum ModelSignature {
    public static let fileName = "model.sig"
    static let mediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"
    static let statementType = "https://in-toto.io/Statement/v1"
    static let predicateType = "https://model_signing/signature/v1.0"
    static let payloadType = "application/vnd.in-toto+json"
    public static let maximumBytes = 4 << 20

    /// A file's name within the directory and its SHA-256.
    public struct Resource: Equatable, Sendable {
        public let name: String
        public let digest: Digest

        /// Makes a resource.
        ///
        /// - Parameters:
        ///   - name: The path of the file relative to the directory, with `/` between components.
        ///   - digest: The SHA-256 of the file.
        public init(name: String, digest: Digest) {
            self.name = name
            self.digest = digest
        }
    }

    /// Signs the resources.
    ///
    /// - Parameters:
    ///   - resources: The files to sign.
    ///   - name: The release's name.
    ///   - chain: The signer's certificate chain, leaf first.
    ///   - key: The signer's key.
    /// - Returns: The bundle as JSON, the contents of the file ``fileName``.
    /// - Throws: `IdentityError` if signing fails.
    public static func sign(_ resources: [Resource], name: String, chain: [Certificate], key: PrivateKey) throws
        -> String
    {
        let payload = Array(statement(sorted(resources), name: name).utf8)
        return render(
            payload,
            signature: try key.sign(preAuthenticationEncoding(payload)),
            certificates: chain.map(\.der)
        )
    }

    private static func render(_ payload: [UInt8], signature: [UInt8], certificates: [[UInt8]]) -> String {
        let certificates = certificates.map { "{\"rawBytes\": \"\(Data($0).base64EncodedString())\"}" }.joined(
            separator: ", "
        )
        return """
            {"mediaType": "\(mediaType)", "verificationMaterial": {"x509CertificateChain": \
            {"certificates": [\(certificates)]}, "tlogEntries": []}, "dsseEnvelope": {"payload": \
            "\(Data(payload).base64EncodedString())", "payloadType": "\(payloadType)", "signatures": [{"sig": \
            "\(Data(signature).base64EncodedString())", "keyid": ""}]}}
            """
    }

    /// The root digest: SHA-256 of the files' raw digests, sorted by name.
    ///
    /// - Parameter resources: The files, in any order.
    /// - Returns: The digest that the statement gives for its subject.
    public static func root(_ resources: [Resource]) -> Digest { Digest(of: sorted(resources).flatMap(\.digest.bytes)) }

    private static func sorted(_ resources: [Resource]) -> [Resource] {
        resources.sorted { $0.name.unicodeScalars.lexicographicallyPrecedes($1.name.unicodeScalars) }
    }

    private static func statement(_ resources: [Resource], name: String) -> String {
        let list = resources.map {
            "{\"name\": \($0.name.jsonQuoted), \"algorithm\": \"sha256\", \"digest\": \"\($0.digest.hex)\"}"
        }
        return """
            {"_type": "\(statementType)", "subject": [{"name": \(name.jsonQuoted), "digest": {"sha256": \
            "\(root(resources).hex)"}}], "predicateType": "\(predicateType)", "predicate": \
            {"serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": false, "ignore_paths": \
            ["\(fileName)"]}, "resources": [\(list.joined(separator: ", "))]}}
            """
    }

    /// DSSE's pre-authentication encoding, which is the signed data.
    private static func preAuthenticationEncoding(_ payload: [UInt8]) -> [UInt8] {
        Array("DSSEv1 \(payloadType.utf8.count) \(payloadType) \(payload.count) ".utf8) + payload
    }

    /// The content of a verified bundle.
    public struct Statement: Sendable {
        public let resources: [Resource]
        /// Files that the signature does not cover.
        public let ignoredPaths: [String]
        public let signer: Principal
        public let certificate: Certificate
    }

    /// Returns the files that a bundle names, without verifying anything.
    static func resources(_ json: [UInt8]) throws -> [Resource] {
        guard json.count <= maximumBytes else {
            throw ReleaseError("\(fileName) has \(json.count) bytes; expected at most \(maximumBytes)")
        }
        return try SignedContent(SignatureBundle(json).payload).resources
    }

    /// Verifies a bundle's certificate at `time` and its signature. The caller must compare the files.
    ///
    /// The bundle may be ours or one that the `model_signing` program wrote.
    ///
    /// - Parameters:
    ///   - json: The bundle, at most ``maximumBytes`` bytes.
    ///   - roots: The trusted CAs.
    ///   - time: The time at which the certificate must be valid.
    /// - Returns: The signed statement.
    /// - Throws: `ReleaseError` or `IdentityError` if the bundle is malformed or the signature is not valid.
    public static func verify(_ json: [UInt8], roots: TrustRoots, at time: Timestamp) throws -> Statement {
        guard json.count <= maximumBytes else {
            throw ReleaseError("\(fileName) has \(json.count) bytes; expected at most \(maximumBytes)")
        }
        let bundle = try SignatureBundle(json)
        let certificates = try bundle.certificates.map { try Certificate(der: $0) }
        let signer = try roots.verify(certificates[0], intermediates: Array(certificates.dropFirst()), at: time)
        guard try certificates[0].publicKey.isValid(bundle.signature, for: preAuthenticationEncoding(bundle.payload))
        else {
            throw ReleaseError("the signature in \(fileName) is wrong")
        }
        let content = try SignedContent(bundle.payload)
        return Statement(
            resources: content.resources,
            ignoredPaths: content.ignoredPaths,
            signer: signer,
            certificate: certificates[0]
        )
    }
}

/// A release that cannot be created or trusted.
public struct ReleaseError: Error, Equatable, Sendable, CustomStringConvertible {
    public let message: String
    /// Makes an error.
    ///
    /// - Parameter message: What is wrong with the release, for the user.
    public init(_ message: String) { self.message = message }
    public var description: String { message }
}
