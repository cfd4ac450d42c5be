import COpenBLAS
import Glibc

/// Which kernels OpenBLAS chose when it was loaded, and which this processor deserves.
///
/// Debian's 0.3.21 does not know newer processors and silently falls back to kernels from 2004, a sixth of the speed.
/// `OPENBLAS_CORETYPE` is read when the library is loaded, so the remedy is to start the program once more.
public struct BLASCore: Equatable, Sendable {
    /// What OpenBLAS says it uses.
    public let used: String
    /// What it should use at least; `nil` where we know no better.
    public let wanted: String?

    /// The kernels that this machine's environment asks for; `nil`: OpenBLAS chose by itself.
    public static var chosen: String? { getenv(variable).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 } }

    public static let variable = "OPENBLAS_CORETYPE"
    private static let restartedVariable = "KUMIAI_BLAS_RESTARTED"
    /// Kernels that use AVX-512, and those that use AVX2.
    private static let avx512: Set<String> = ["SkylakeX", "Cooperlake", "Sapphirerapids"]
    private static let avx2: Set<String> = ["Haswell", "Zen", "Excavator"]

    public static var current: BLASCore {
        BLASCore(used: String(cString: openblas_get_corename()), flags: processorFlags())
    }

    /// `flags`: the processor's features, as /proc/cpuinfo names them.
    public init(used: String, flags: Set<String>) {
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

    public var isRight: Bool { wanted == nil }

    /// Starts the program over with the right kernels, once; returns where that is not needed or did not help.
    ///
    /// Call first thing: nothing that was opened survives.
    public static func restartIfWrong() {
        guard let wanted = current.wanted, getenv(variable) == nil, getenv(restartedVariable) == nil else { return }
        setenv(variable, wanted, 1)
        setenv(restartedVariable, "1", 1)
        var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
        execv("/proc/self/exe", &arguments)
        // Still here: the slow kernels must do.
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
