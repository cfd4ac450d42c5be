import Foundation
import Identity
import Releases

/// Verifies a release's files against its signature, and the signature against the consortium's CA:
///
///     swift run VerifyRelease FY2027 ca.pem
@main
struct VerifyRelease {
    static func main() {
        let arguments = CommandLine.arguments
        guard arguments.count == 3 else {
            print("usage: VerifyRelease <release directory> <ca.pem>")
            exit(64)
        }
        do {
            try verify(ReleaseDirectory(path: arguments[1]), authority: arguments[2])
        } catch {
            print("not verified: \(error)")
            exit(3)
        }
    }

    private static func verify(_ release: ReleaseDirectory, authority: String) throws {
        let signer = try release.verify(roots: IdentityFile.roots(authority))
        let summary = try release.summary()
        print("verified: \(summary.release) of \(summary.consortium), signed by \(signer)")
        print("\(summary.updates) updates of \(summary.sites.count) sites in \(summary.rounds) rounds on \(summary.base)")
    }
}
