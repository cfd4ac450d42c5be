import Foundation
import Tensors

/// The parts of a Sigstore bundle with a certificate chain and a DSSE envelope. Unknown members are rejected, because
/// the unsigned parts must not contain anything that could be misinterpreted.
struct SignatureBundle {
    /// The certificates in DER, the signer's first.
    let certificates: [[UInt8]]
    /// The signed bytes, an in-toto statement.
    let payload: [UInt8]
    let signature: [UInt8]

    private static let maximumCertificates = 8

    init(_ json: [UInt8]) throws {
        let root: JSONValue
        do { root = try JSONParser.parse(json) } catch { throw Self.wrong("it is not JSON: \(error)") }
        try Self.requireMembers(root, of: "it", ["mediaType", "verificationMaterial", "dsseEnvelope"])
        guard root["mediaType"]?.string == ModelSignature.mediaType else {
            throw Self.wrong("mediaType is not \(ModelSignature.mediaType)")
        }
        certificates = try Self.certificates(root["verificationMaterial"] ?? .null)
        let envelope = root["dsseEnvelope"] ?? .null
        try Self.requireMembers(envelope, of: "dsseEnvelope", ["payload", "payloadType", "signatures"])
        guard envelope["payloadType"]?.string == ModelSignature.payloadType else {
            throw Self.wrong("payloadType is not \(ModelSignature.payloadType)")
        }
        guard let payload = envelope["payload"]?.base64 else { throw Self.wrong("payload is not base64") }
        guard let signatures = envelope["signatures"]?.array, signatures.count == 1 else {
            throw Self.wrong("expected one signature")
        }
        try Self.requireMembers(signatures[0], of: "the signature", ["sig"], optional: ["keyid"])
        guard let signature = signatures[0]["sig"]?.base64 else { throw Self.wrong("sig is not base64") }
        guard (signatures[0]["keyid"] ?? .string("")) == .string("") else { throw Self.wrong("keyid is not empty") }
        (self.payload, self.signature) = (payload, signature)
    }

    private static func certificates(_ material: JSONValue) throws -> [[UInt8]] {
        guard material["publicKey"] == nil else {
            throw wrong("it was signed with a bare key; expected the coordinator's certificate")
        }
        try requireMembers(material, of: "verificationMaterial", ["x509CertificateChain"], optional: ["tlogEntries"])
        guard (material["tlogEntries"] ?? .array([])) == .array([]) else { throw wrong("tlogEntries is not empty") }
        let chain = material["x509CertificateChain"] ?? .null
        try requireMembers(chain, of: "x509CertificateChain", ["certificates"])
        guard let list = chain["certificates"]?.array, (1...maximumCertificates).contains(list.count) else {
            throw wrong("expected 1 to \(maximumCertificates) certificates")
        }
        return try list.map { entry in
            try requireMembers(entry, of: "a certificate", ["rawBytes"])
            guard let bytes = entry["rawBytes"]?.base64 else { throw wrong("rawBytes is not base64") }
            return bytes
        }
    }

    private static func requireMembers(
        _ value: JSONValue,
        of place: String,
        _ names: Set<String>,
        optional: Set<String> = []
    ) throws {
        guard let members = value.object else { throw wrong("\(place) is not an object") }
        let found = Set(members.map(\.name))
        if let missing = names.subtracting(found).sorted().first { throw wrong("\(place) has no \(missing)") }
        if let unknown = found.subtracting(names).subtracting(optional).sorted().first {
            throw wrong("\(place) has the unknown member \(unknown.prefix(64))")
        }
    }

    private static func wrong(_ what: String) -> ReleaseError {
        ReleaseError("\(ModelSignature.fileName) is not a model signing bundle: \(what)")
    }
}

extension JSONValue {
    /// Decodes base64; `nil` unless the text is the canonical encoding of its bytes.
    fileprivate var base64: [UInt8]? {
        guard let text = string, let data = Data(base64Encoded: text), data.base64EncodedString() == text else {
            return nil
        }
        return Array(data)
    }
}
