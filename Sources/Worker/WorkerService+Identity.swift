import Federation
import Foundation
import Identity
import Logging
import Transport

/// The certificate of a running worker, which is reloaded when its file changes and announced before its end; and the
/// comparison of the clocks.
extension WorkerService {
    private static let pollSeconds = 3
    /// The largest accepted difference of the clocks. Certificates are valid from one hour before they are issued.
    package static let clockToleranceSeconds: UInt64 = 60

    /// Reloads the certificate, the key, the CA certificates and the revocation list from their files now. If the files
    /// are not valid, the current ones stay in use.
    package func reload() { handleReload(reloading.reload(at: clock())) }

    /// Watches for replaced files, and disconnects from a coordinator whose certificate is no longer valid.
    func watchIdentity() async {
        warnOfOpenDirectory()
        var memory = MemoryTrimmer()
        while !Task.isCancelled {
            handleReload(reloading.reloadIfChanged(at: clock()))
            remind()
            leaveEndedCoordinator()
            await memory.ifDue(on: workers)
            try? await Task.sleep(for: .seconds(Self.pollSeconds))
        }
    }

    private func handleReload(_ outcome: ReloadingIdentity<WorkerIdentity>.Outcome) {
        switch outcome {
        case .unchanged: break
        case .replaced:
            logger.info(
                "certificates reloaded",
                metadata: ["valid_until": "\(identity.chain[0].notAfter.text)", "file": "\(configuration.certificate)"]
            )
            identityProblem = nil
        case .refused(let error):
            identityProblem = "the changed certificate files are not valid; the previous ones stay in use: \(error)"
            logger.error(
                "certificates were not reloaded: the previous ones stay in use",
                metadata: [
                    "reason": "\(error)",
                    "hint": "\((error as? WorkerError)?.hint ?? (error as? IdentityError)?.hint ?? "")",
                ]
            )
        }
    }

    private func remind() {
        let time = clock()
        for notice in reminder.due(identity.notices, at: time) {
            logger.warning(
                "a certificate ends",
                metadata: ["reason": "\(notice.text(at: time) ?? "")", "hint": "\(notice.remedy)"]
            )
        }
    }

    /// Disconnects if the coordinator's certificate is no longer valid. Signatures are checked again only if there is a
    /// list of revoked certificates, which may have changed.
    private func leaveEndedCoordinator() {
        let time = clock()
        guard let link, let certificate = link.connection.certificate,
            certificate.notAfter < time || !identity.roots.revocations.isEmpty
        else { return }
        do {
            _ = try identity.roots.verify(certificate, at: time)
        } catch let error as IdentityError where [.expired, .revoked, .revocationList].contains(error.code) {
            logger.warning(
                "the coordinator's certificate is no longer valid: reconnecting",
                metadata: ["reason": "\(error)"]
            )
            link.close()
        } catch {
            // The chain can need intermediate certificates, which only the handshake gets. A new connection checks it.
            logger.debug("the coordinator's certificate was not checked again", metadata: ["reason": "\(error)"])
        }
    }

    /// Problems of certificates for the status; `nil` if there are none.
    var certificateNotice: String? {
        let time = clock()
        let texts = (identityProblem.map { [$0] } ?? []) + identity.notices.compactMap { $0.text(at: time) }
        return texts.isEmpty ? nil : texts.joined(separator: "; ")
    }

    // MARK: Clocks

    /// Compares the coordinator's time with this machine's clock.
    func compareClocks(_ theirs: Timestamp) {
        let ours = clock()
        let seconds = ours.seconds(to: theirs)
        guard seconds > Self.clockToleranceSeconds else { return clockNotice = nil }
        let text =
            """
            the clocks differ by \(seconds) s: the coordinator's clock was at \(theirs.text) when this machine's clock \
            was at \(ours.text)
            """
        if clockNotice == nil {
            logger.warning(
                "the clocks differ",
                metadata: ["reason": "\(text)", "hint": "set the clock of the machine that is wrong"]
            )
        }
        clockNotice = text
    }

    /// A hint for an error, with the clocks if they may be the reason why a certificate was refused.
    func clockHint(_ error: any Error) -> String {
        guard let error = error as? IdentityError else { return "" }
        let mine = "this machine's clock is at \(clock().text)"
        if error.code == .notYetValid, let term = error.refused?.term {
            // A coordinator does not start if its certificate is not yet valid by its own clock.
            return "the coordinator's clock is past \(term.notBefore.text), but \(mine): check it"
        }
        guard [.expired, .authorityEnded, .handshake].contains(error.code), let clockNotice else { return error.hint }
        return [error.hint, clockNotice].filter { !$0.isEmpty }.joined(separator: "; ")
    }

    private func warnOfOpenDirectory() {
        let attributes = try? FileManager.default.attributesOfItem(atPath: configuration.dataDirectory)
        guard let mode = attributes?[.posixPermissions] as? Int, mode & 0o077 != 0 else { return }
        logger.warning(
            "others than its owner may enter the data directory",
            metadata: [
                "directory": "\(configuration.dataDirectory)", "mode": "0\(String(mode, radix: 8))",
                "hint": "chmod 700 the directory",
            ]
        )
    }
}
