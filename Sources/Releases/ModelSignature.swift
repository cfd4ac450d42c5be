import Federation
import Foundation
import Identity
import Tensors

/// A detached signature over the digests of a directory's files: an OpenSSF Model Signing v1.0 bundle (Sigstore bundle,
/// DSSE envelope, in-toto statement), method "certificate", ECDSA over SHA-256.
public enum ModelSignature {
    public static let fileName = "model.sig"
    private static let payloadType = "application/vnd.in-toto+json"
    public static let maximumBytes = 4 << 20

    /// A file's name within the directory and its SHA-256.
    public struct Resource: Equatable, Sendable {
        public let name: String
        public let digest: Digest

        public init(name: String, digest: Digest) {
            self.name = name
            self.digest = digest
        }
    }

    /// The bundle's JSON. `name` is the release's.
    public static func sign(_ resources: [Resource], name: String, chain: [Certificate], key: PrivateKey) throws -> String {
        let payload = Array(statement(sorted(resources), name: name).utf8)
        return render(payload, signature: try key.sign(preAuthenticationEncoding(payload)), certificates: chain.map(\.der))
    }

    private static func render(_ payload: [UInt8], signature: [UInt8], certificates: [[UInt8]]) -> String {
        let certificates = certificates.map { "{\"rawBytes\": \"\(Data($0).base64EncodedString())\"}" }.joined(separator: ", ")
        return """
            {"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "verificationMaterial": {"x509CertificateChain": \
            {"certificates": [\(certificates)]}, "tlogEntries": []}, "dsseEnvelope": {"payload": \
            "\(Data(payload).base64EncodedString())", "payloadType": "\(payloadType)", "signatures": [{"sig": \
            "\(Data(signature).base64EncodedString())", "keyid": ""}]}}
            """
    }

    /// The root digest: SHA-256 of the files' raw digests in the order of their names.
    public static func root(_ resources: [Resource]) -> Digest { Digest(of: sorted(resources).flatMap(\.digest.bytes)) }

    private static func sorted(_ resources: [Resource]) -> [Resource] {
        resources.sorted { $0.name.unicodeScalars.lexicographicallyPrecedes($1.name.unicodeScalars) }
    }

    private static func statement(_ resources: [Resource], name: String) -> String {
        let list = resources.map { "{\"name\": \($0.name.jsonQuoted), \"algorithm\": \"sha256\", \"digest\": \"\($0.digest.hex)\"}" }
        return """
            {"_type": "https://in-toto.io/Statement/v1", "subject": [{"name": \(name.jsonQuoted), "digest": {"sha256": \
            "\(root(resources).hex)"}}], "predicateType": "https://model_signing/signature/v1.0", "predicate": \
            {"serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": false, "ignore_paths": \
            ["\(fileName)"]}, "resources": [\(list.joined(separator: ", "))]}}
            """
    }

    /// DSSE's pre-authentication encoding: what is signed.
    private static func preAuthenticationEncoding(_ payload: [UInt8]) -> [UInt8] {
        Array("DSSEv1 \(payloadType.utf8.count) \(payloadType) \(payload.count) ".utf8) + payload
    }

    /// What a checked bundle says.
    public struct Statement: Sendable {
        public let resources: [Resource]
        public let signer: Principal
        public let certificate: Certificate
    }

    /// Checks a bundle's certificate at `time` and its signature; the files are the caller's to compare.
    public static func verify(_ json: [UInt8], roots: TrustRoots, at time: Timestamp) throws -> Statement {
        guard let bundle = try? JSONParser.parse(json),
            let certificates = bundle["verificationMaterial"]?["x509CertificateChain"]?["certificates"]?.array,
            certificates.count <= 8, let leafBytes = certificates.first?["rawBytes"]?.base64,
            let envelope = bundle["dsseEnvelope"], envelope["payloadType"]?.string == payloadType,
            let payload = envelope["payload"]?.base64, let signatures = envelope["signatures"]?.array, signatures.count == 1,
            let signature = signatures[0]["sig"]?.base64
        else { throw ReleaseError("\(fileName) is not a model signing bundle") }
        // Also what is not signed must be as it was written.
        guard render(payload, signature: signature, certificates: certificates.map { $0["rawBytes"]?.base64 ?? [] }) == String(decoding: json, as: UTF8.self)
        else {
            throw ReleaseError("\(fileName) was changed after it was written")
        }
        let leaf = try Certificate(der: leafBytes)
        let intermediates = try certificates.dropFirst().map { try Certificate(der: $0["rawBytes"]?.base64 ?? []) }
        let signer = try roots.verify(leaf, intermediates: intermediates, at: time)
        guard try leaf.publicKey.isValid(signature, for: preAuthenticationEncoding(payload)) else {
            throw ReleaseError("the signature in \(fileName) is wrong")
        }
        return Statement(resources: try resources(payload), signer: signer, certificate: leaf)
    }

    /// Whether a file's name leads nowhere but into the directory.
    private static func staysInside(_ name: String) -> Bool {
        name.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { !["", ".", ".."].contains($0) }
    }

    private static func resources(_ payload: [UInt8]) throws -> [Resource] {
        guard let statement = try? JSONParser.parse(payload), let subjects = statement["subject"]?.array, subjects.count == 1,
            let list = statement["predicate"]?["resources"]?.array
        else { throw ReleaseError("\(fileName) does not hold one subject and its files") }
        let resources = try list.map { entry in
            guard let name = entry["name"]?.string, entry["algorithm"]?.string == "sha256",
                let digest = entry["digest"]?.string.flatMap(Digest.init(hex:)), staysInside(name)
            else { throw ReleaseError("\(fileName) names a file that cannot be checked") }
            return Resource(name: name, digest: digest)
        }
        guard subjects[0]["digest"]?["sha256"]?.string == root(resources).hex else {
            throw ReleaseError("the root digest in \(fileName) is not that of its files")
        }
        return resources
    }
}

extension JSONValue {
    fileprivate var base64: [UInt8]? { string.flatMap { Data(base64Encoded: $0) }.map(Array.init) }
}

/// A release that cannot be made or believed.
public struct ReleaseError: Error, Equatable, Sendable, CustomStringConvertible {
    public let message: String
    public init(_ message: String) { self.message = message }
    public var description: String { message }
}
