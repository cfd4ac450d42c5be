import Federation
import Foundation
import Identity
import Logging
import Transport

/// The certificate of a worker that runs: taken anew from its file, reminded of before its end; and the two clocks.
extension WorkerService {
    private static let lookSeconds = 3
    /// Clocks that differ by less are in order: certificates are valid from an hour before they are issued.
    public static let clockToleranceSeconds: UInt64 = 60

    /// Takes the certificate, the key, the CA and the revocation list from their files now; those that it has stay
    /// where the files do not hold.
    public func reload() { took(reloading.reload(at: clock())) }

    /// Notices replaced files, and leaves a coordinator whose certificate has ended.
    func watchIdentity() async {
        warnOfOpenDirectory()
        var memory = MemoryReturn()
        while !Task.isCancelled {
            took(reloading.look(at: clock()))
            remind()
            leaveEndedCoordinator()
            await memory.ifDue(on: workers)
            try? await Task.sleep(for: .seconds(Self.lookSeconds))
        }
    }

    private func took(_ outcome: ReloadingIdentity<WorkerIdentity>.Outcome) {
        switch outcome {
        case .unchanged: break
        case .replaced:
            logger.info(
                "certificates reloaded",
                metadata: ["valid_until": "\(identity.chain[0].notAfter.text)", "file": "\(configuration.certificate)"]
            )
            identityTrouble = nil
        case .refused(let error):
            identityTrouble = "the certificate files were changed and do not hold, the former ones are in use: \(error)"
            logger.error(
                "certificates were not reloaded: those from before stay",
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

    /// Signatures are checked again only where a list of revoked certificates may say something new.
    private func leaveEndedCoordinator() {
        let time = clock()
        guard let link, let certificate = link.connection.certificate,
            certificate.notAfter < time || !identity.roots.revocations.isEmpty
        else { return }
        do {
            _ = try identity.roots.verify(certificate, at: time)
        } catch let error as IdentityError where [.expired, .revoked, .revocationList].contains(error.code) {
            logger.warning(
                "the coordinator's certificate does not hold any more: connecting again",
                metadata: ["reason": "\(error)"]
            )
            link.close()
        } catch {
            // Behind intermediates that only the handshake saw: new connections find out.
            logger.debug("the coordinator's certificate was not checked again", metadata: ["reason": "\(error)"])
        }
    }

    /// What there is to say of certificates, for the status: nothing where all is well.
    var certificateNotice: String? {
        let time = clock()
        let texts = (identityTrouble.map { [$0] } ?? []) + identity.notices.compactMap { $0.text(at: time) }
        return texts.isEmpty ? nil : texts.joined(separator: "; ")
    }

    // MARK: Clocks

    /// Compares the clocks when the coordinator says its time.
    func compareClocks(_ theirs: Timestamp) {
        let ours = clock()
        let seconds = ours.seconds(to: theirs)
        guard seconds > Self.clockToleranceSeconds else { return clockNotice = nil }
        let text =
            """
            the clocks differ by \(seconds) s: the coordinator's said \(theirs.text) when this machine's said \
            \(ours.text)
            """
        if clockNotice == nil {
            logger.warning(
                "the clocks differ",
                metadata: ["reason": "\(text)", "hint": "set the clock of the machine that is wrong"]
            )
        }
        clockNotice = text
    }

    /// What the clocks have to do with a certificate that was refused; empty where nothing is known.
    func clockHint(_ error: any Error) -> String {
        guard let error = error as? IdentityError else { return "" }
        let mine = "this machine's clock says \(clock().text)"
        if error.code == .notYetValid, let term = error.refused?.term {
            // A coordinator does not start with a certificate that its own clock finds not yet valid.
            return "the coordinator's clock is past \(term.notBefore.text), \(mine): is it right?"
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
