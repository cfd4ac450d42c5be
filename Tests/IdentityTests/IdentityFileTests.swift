import Federation
import Foundation
import TestKit
import Testing

@testable import Identity

/// Keys and certificates in files, and a service that continues when they are replaced.
@Suite struct IdentityFileTests {
    let directory: TemporaryDirectory
    let consortium: ConsortiumFixture
    init() throws {
        directory = try TemporaryDirectory()
        consortium = try ConsortiumFixture()
    }

    func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    @Test func keysAreTheirOwnersAloneAndAreNeverOverwritten() throws {
        let path = directory.file("key.pem")
        try IdentityFile.create(PrivateKey.generate(), at: path)
        #expect(try mode(path) == 0o600)
        let bytes = try directory.read("key.pem")
        #expect(throws: IdentityError(.exists, "")) { try IdentityFile.create(PrivateKey.generate(), at: path) }
        #expect(try directory.read("key.pem") == bytes)
        // A dangling link is not followed either.
        try FileManager.default.createSymbolicLink(
            atPath: directory.file("link.pem"),
            withDestinationPath: directory.file("elsewhere.pem")
        )
        #expect(throws: IdentityError(.exists, "")) {
            try IdentityFile.create(PrivateKey.generate(), at: directory.file("link.pem"))
        }
        #expect(!FileManager.default.fileExists(atPath: directory.file("elsewhere.pem")))
    }

    @Test(arguments: [0o640, 0o604, 0o644, 0o660]) func aKeyThatOthersCanReadIsRefused(mode: Int) throws {
        let path = directory.file("key.pem")
        try IdentityFile.create(PrivateKey.generate(), at: path)
        _ = try IdentityFile.key(path)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        let error = #expect(throws: IdentityError.self) { try IdentityFile.key(path) }
        #expect(
            error?.code == .exposed && error?.description.contains(path) == true
                && error?.hint.contains("chmod 600") == true
        )
    }

    @Test func pipesDevicesDirectoriesAndEndlessFilesAreNoKeys() throws {
        mkfifo(directory.file("pipe"), 0o600)
        for path in [directory.file("pipe"), "/dev/null", "/dev/zero", directory.path, directory.file("missing")] {
            #expect(throws: IdentityError(.unreadable, "")) { try IdentityFile.key(path) }
            #expect(throws: IdentityError(.unreadable, "")) { try IdentityFile.certificates(path) }
        }
        try directory.write("large", [UInt8](repeating: 0x41, count: IdentityFile.maximumBytes + 1))
        #expect(throws: IdentityError(.unreadable, "")) { try IdentityFile.certificates(directory.file("large")) }
    }

    @Test func aReplacedCertificateIsThereWholeAndLeavesNoDraft() throws {
        let first = try consortium.identity(.operator("a")).certificate.pem(),
            second = try consortium.identity(.operator("b")).certificate.pem()
        try IdentityFile.create(first, at: directory.file("certificate.pem"))
        try IdentityFile.replace(second, at: directory.file("certificate.pem"))
        #expect(try directory.read("certificate.pem") == second)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["certificate.pem"])
    }

    // MARK: Replaced while a service runs

    func reloading() throws -> ReloadingIdentity<Certificate> {
        let (certificate, key, roots) = (directory.file("certificate.pem"), directory.file("key.pem"), consortium.roots)
        return try ReloadingIdentity(files: [certificate, key], at: consortium.now) { _, now in
            let chain = try IdentityFile.certificates(certificate)
            _ = try roots.verify(chain, in: certificate, at: now)
            return (chain[0], try TLSContext(.server, chain: chain, key: IdentityFile.key(key), roots: roots))
        }
    }

    func isReplaced<V>(_ outcome: ReloadingIdentity<V>.Outcome) -> Bool {
        if case .replaced = outcome { true } else { false }
    }
    func refusal<V>(_ outcome: ReloadingIdentity<V>.Outcome) -> String? {
        if case .refused(let error) = outcome { "\(error)" } else { nil }
    }

    @Test func aRenewedCertificateIsTakenWhenItStandsStill() throws {
        let former = try consortium.identity(.coordinator("main"))
        try consortium.write(former, to: directory.path)
        var identity = try reloading()
        #expect(!isReplaced(identity.reloadIfChanged(at: consortium.now)))
        let newer = try consortium.authority.issue(
            Principal(consortium: ConsortiumFixture.name, role: .coordinator("main")),
            for: former.key.publicKey,
            at: consortium.now
        )
        try IdentityFile.replace(newer.pem(), at: directory.file("certificate.pem"))
        // At the first check, the file could still be incomplete.
        #expect(!isReplaced(identity.reloadIfChanged(at: consortium.now)))
        #expect(identity.contexts.current.certificate.digest == former.certificate.digest)
        #expect(isReplaced(identity.reloadIfChanged(at: consortium.now)))
        #expect(identity.current.digest == newer.digest && identity.contexts.current.certificate.digest == newer.digest)
        #expect(!isReplaced(identity.reloadIfChanged(at: consortium.now)))
    }

    @Test func aBrokenOrForeignFileIsNamedAndTheFormerIdentityStays() throws {
        let former = try consortium.identity(.coordinator("main"))
        try consortium.write(former, to: directory.path)
        var identity = try reloading()
        // A truncated file, and a certificate of another key.
        let others = try consortium.identity(.coordinator("main")).certificate.pem()
        for bytes in [Array(try former.certificate.pem().prefix(200)), others] {
            try IdentityFile.replace(bytes, at: directory.file("certificate.pem"))
            #expect(refusal(identity.reloadIfChanged(at: consortium.now)) == nil)
            #expect(refusal(identity.reloadIfChanged(at: consortium.now)) != nil)
            // Reported once, not at every check.
            #expect(refusal(identity.reloadIfChanged(at: consortium.now)) == nil)
            #expect(identity.contexts.current.certificate.digest == former.certificate.digest)
        }
        try IdentityFile.replace(Array("nonsense".utf8), at: directory.file("certificate.pem"))
        #expect(refusal(identity.reload(at: consortium.now))?.contains(directory.file("certificate.pem")) == true)
        try IdentityFile.replace(former.certificate.pem(), at: directory.file("certificate.pem"))
        #expect(isReplaced(identity.reload(at: consortium.now)))
    }

    @Test func aCertificateThatIsNotValidYetIsTakenWhenItIs() throws {
        let former = try consortium.identity(.coordinator("main"))
        try consortium.write(former, to: directory.path)
        var identity = try reloading()
        let tomorrow = consortium.now.adding(seconds: 86_400)
        let early = try consortium.authority.issue(
            Principal(consortium: ConsortiumFixture.name, role: .coordinator("main")),
            for: former.key.publicKey,
            at: tomorrow
        )
        try IdentityFile.replace(early.pem(), at: directory.file("certificate.pem"))
        #expect(refusal(identity.reload(at: consortium.now))?.contains("not valid yet") == true)
        #expect(refusal(identity.reloadIfChanged(at: consortium.now.adding(seconds: 61))) == nil)
        #expect(identity.current.digest == former.certificate.digest)
        #expect(isReplaced(identity.reloadIfChanged(at: tomorrow)))
        #expect(identity.current.digest == early.digest)
    }
}
