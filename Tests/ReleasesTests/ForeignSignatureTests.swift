import Federation
import Foundation
import Identity
import TestKit
import Tensors
import Testing

@testable import Releases

/// Bundles as the `model_signing` program (1.1.1) writes them, signed with the coordinator's key when the test runs.
@Suite struct ForeignSignatureTests {
    let consortium: ConsortiumFixture
    let directory: TemporaryDirectory
    let release: ReleaseDirectory
    let signer: ConsortiumFixture.Identity

    init() throws {
        consortium = try ConsortiumFixture()
        directory = try TemporaryDirectory()
        signer = try consortium.identity(.coordinator("main"))
        release = try ReleaseFixture.release(consortium, signer, in: directory)
    }

    /// The payload, indented by two, and the bundle, without spaces, in that program's order of members.
    private func sign(
        method: String = "files",
        hash: String = "sha256",
        links: Bool = false,
        ignored: [String] = [".github", "model.sig", ".gitattributes", ".gitignore", ".git"],
        predicate: String = "https://model_signing/signature/v1.0",
        by another: ConsortiumFixture.Identity? = nil,
        edit: (String) -> String = { $0 }
    ) throws {
        let signer = another ?? signer
        let names = ["README.md", "config.json", "lineage.json", "model.safetensors"]
        let digests = try names.map { Digest(of: try directory.read("FY2027/\($0)")) }
        let resources = zip(names, digests).map { name, digest in
            """
                  {\n        \"digest\": \"\(digest.hex)\",\n        \"name\": \"\(name)\",\n        \"algorithm\": \
            \"sha256\"\n      }
            """
        }
        let payload = """
            {
              "_type": "https://in-toto.io/Statement/v1",
              "subject": [
                {
                  "name": "FY2027",
                  "digest": {
                    "sha256": "\(Digest(of: digests.flatMap(\.bytes)).hex)"
                  }
                }
              ],
              "predicateType": "\(predicate)",
              "predicate": {
                "resources": [
            \(resources.joined(separator: ",\n"))
                ],
                "serialization": {
                  "method": "\(method)",
                  "hash_type": "\(hash)",
                  "allow_symlinks": \(links),
                  "ignore_paths": [
            \(ignored.map { "        \"\($0)\"" }.joined(separator: ",\n"))
                  ]
                }
              }
            }
            """
        let type = "application/vnd.in-toto+json"
        let signature = try signer.key.sign(
            Array("DSSEv1 \(type.utf8.count) \(type) \(payload.utf8.count) \(payload)".utf8)
        )
        func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }
        let chain = [signer.certificate, consortium.authority.certificate].map {
            "{\"rawBytes\":\"\(base64($0.der))\"}"
        }.joined(separator: ",")
        let bundle = """
            {"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"x509CertificateChain":{"certificates":[\(chain)]},\
            "tlogEntries":[]},"dsseEnvelope":{"payload":"\(base64(Array(payload.utf8)))","payloadType":"\(type)","signatures":[{"sig":\
            "\(base64(signature))","keyid":""}]}}
            """
        try directory.write("FY2027/model.sig", Array(edit(bundle).utf8))
    }

    private func refused(_ text: String) {
        #expect(performing: { try release.verify(roots: consortium.roots) }, throws: { "\($0)".contains(text) })
    }

    @Test func aBundleThatTheProgramWroteVerifies() throws {
        try sign()
        #expect(
            try release.verify(roots: consortium.roots)
                == Principal(consortium: ConsortiumFixture.name, role: .coordinator("main"))
        )
        // Also if it leaves out optional fields, or says that links were followed: there are no links.
        try sign(links: true) {
            $0.replacingOccurrences(of: ",\"tlogEntries\":[]", with: "").replacingOccurrences(
                of: ",\"keyid\":\"\"",
                with: ""
            )
        }
        #expect(throws: Never.self) { try release.verify(roots: consortium.roots) }
    }

    @Test func whatTheSignerLeftOutIsPassedOverWhereItIsGits() throws {
        try FileManager.default.createDirectory(
            atPath: directory.file("FY2027/.git/objects"),
            withIntermediateDirectories: true
        )
        try directory.write("FY2027/.git/objects/a", [1])
        refused(".git/objects/a is not covered")
        try sign()
        #expect(throws: Never.self) { try release.verify(roots: consortium.roots) }
        try sign(ignored: ["model.sig"])
        refused(".git/objects/a is not covered")
        try FileManager.default.removeItem(atPath: directory.file("FY2027/.git"))
        try directory.write("FY2027/run.py", [1])
        try sign(ignored: ["model.sig", "run.py"])
        refused("run.py is not covered")
    }

    @Test func aStatementThatSaysSomethingElseIsRefused() throws {
        try sign(method: "shards")
        refused("serialization.method")
        try sign(hash: "blake3")
        refused("serialization.hash_type")
        try sign(predicate: "https://slsa.dev/provenance/v1")
        refused("not a statement about a model's files")
    }

    @Test func whatIsNotSignedMustSayNothingElse() throws {
        let changes = [
            ("\"tlogEntries\":[]", "\"tlogEntries\":[1]", "tlogEntries"),
            ("\"keyid\":\"\"", "\"keyid\":\"x\"", "keyid"),
            ("v0.3+json", "v0.4+json", "mediaType"),
            ("\"sig\":", "\"note\":\"\",\"sig\":", "unknown member note"),
            ("\"x509CertificateChain\"", "\"publicKey\"", "bare key"),
            ("\"payloadType\":\"application/vnd.in-toto+json\"", "\"payloadType\":\"text/plain\"", "payloadType"),
        ]
        for (old, new, text) in changes {
            try sign { $0.replacingOccurrences(of: old, with: new) }
            refused(text)
        }
    }

    @Test func anotherKeysSignatureIsRefused() throws {
        let site = try consortium.identity(.site(SiteID("acme/osaka")!))
        try sign(by: site)
        refused("not the coordinator")
    }
}
