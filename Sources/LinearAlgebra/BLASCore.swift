import COpenBLAS
import Glibc

/// The kernels that OpenBLAS selected when it was loaded, and those that suit this processor.
///
/// Debian's version 0.3.21 does not know newer processors and silently falls back to kernels from 2004, at a sixth of
/// the speed. `OPENBLAS_CORETYPE` is read only when the library is loaded, so the remedy is to restart the program.
package struct BLASCore: Equatable, Sendable {
    /// The kernels that OpenBLAS reports.
    package let used: String
    /// The kernels that it should use at least; `nil` if the current ones are right.
    package let wanted: String?

    /// The kernels that the environment selects; `nil` if OpenBLAS selected them.
    package static var chosen: String? {
        getenv(variable).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    package static let variable = "OPENBLAS_CORETYPE"
    private static let restartedVariable = "KUMIAI_BLAS_RESTARTED"
    /// Kernels that use AVX-512, and those that use AVX2.
    private static let avx512: Set<String> = ["SkylakeX", "Cooperlake", "Sapphirerapids"]
    private static let avx2: Set<String> = ["Haswell", "Zen", "Excavator"]

    package static var current: BLASCore {
        BLASCore(used: String(cString: openblas_get_corename()), flags: processorFlags())
    }

    /// - Parameter flags: The processor's features, as in /proc/cpuinfo.
    package init(used: String, flags: Set<String>) {
        self.used = used
        let known = used.capitalized
        let hasAVX512 = flags.isSuperset(of: ["avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd"])
        let hasAVX2 = flags.isSuperset(of: ["avx2", "fma"])
        if hasAVX512, !Self.avx512.contains(where: { $0.capitalized == known }) {
            wanted = "SkylakeX"
        } else if !hasAVX512, hasAVX2, !Self.avx2.contains(where: { $0.capitalized == known }) {
            wanted = "Haswell"
        } else {
            wanted = nil
        }
    }

    package var isRight: Bool { wanted == nil }

    /// Restarts the program with the right kernels, once; returns if that is not needed or did not help.
    ///
    /// Call this first: nothing that was opened survives the restart.
    package static func restartIfWrong() {
        guard let wanted = current.wanted, getenv(variable) == nil, getenv(restartedVariable) == nil else { return }
        setenv(variable, wanted, 1)
        setenv(restartedVariable, "1", 1)
        var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
        execv("/proc/self/exe", &arguments)
        // exec failed, so continue with the slow kernels.
        unsetenv(variable)
    }

    private static func processorFlags() -> Set<String> {
        guard let file = fopen("/proc/cpuinfo", "r") else { return [] }
        defer { fclose(file) }
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        while getline(&line, &capacity, file) > 0, let line {
            let text = String(cString: line)
            if text.hasPrefix("flags") {
                return Set(text.split(whereSeparator: { $0 == " " || $0 == "\n" || $0 == "\t" }).map(String.init))
            }
        }
        return []
    }
}

extension String {
    fileprivate var capitalized: String { prefix(1).uppercased() + dropFirst().lowercased() }
}
