import Contracts

/// The buffers for one forward and backward pass over up to `capacity` samples. Allocated once.
final class Workspace {
    let capacity: Int
    private var storage: [UnsafeMutablePointer<Float>] = []

    /// The values that the backward pass of a layer needs from its forward pass.
    ///
    /// In comments on shapes, R is samples·tokens, and Q is the number of rows that are queries: all R rows, but in the
    /// last layer only those of the action queries, because only their outputs are used.
    struct Layer {
        let normalised1, rstd1, h1: UnsafeMutablePointer<Float>  // R×D, R, R×D
        let hq: UnsafeMutablePointer<Float>  // Q×D; equal to h1 except in the last layer
        let q, kv: UnsafeMutablePointer<Float>  // Q×D, R×2D
        let probabilities: UnsafeMutablePointer<Float>  // samples×heads×queries×tokens
        let context: UnsafeMutablePointer<Float>  // Q×D
        let normalised2, rstd2, h2: UnsafeMutablePointer<Float>  // Q×D, Q, Q×D
        let f1, tanh, f2: UnsafeMutablePointer<Float>  // Q×F each
    }

    private(set) var layers: [Layer] = []
    let x: UnsafeMutablePointer<Float>  // R×D, the residual stream
    let xq: UnsafeMutablePointer<Float>  // samples·chunk×D, the stream of the action queries in the last layer
    let normalised, rstd, h: UnsafeMutablePointer<Float>
    let output: UnsafeMutablePointer<Float>  // samples×chunk×actions
    // Backward.
    let doutput, dx, dxq, dh, dhq, dq, dkv, dcontext, df, dprobabilities: UnsafeMutablePointer<Float>
    // For flow matching: features of the time, its tokens, and their gradient, samples×D each; noisy actions with the
    // shape of `output`.
    let phi, timeTokens, dtimeTokens, noisy: UnsafeMutablePointer<Float>
    // For adapters: x·Aᵀ and dy·B, R×rank each; unused gradients of frozen norms, 2×D.
    let down, ddown, unwanted: UnsafeMutablePointer<Float>

    /// The size of all buffers in bytes.
    let byteCount: Int

    /// - Parameter rank: The rank of the adapter that is trained; 0 without an adapter.
    init(_ c: PolicyConfiguration, capacity: Int, rank: Int = 0) {
        self.capacity = capacity
        var storage: [UnsafeMutablePointer<Float>] = []
        var elementCount = 0
        func make(_ count: Int) -> UnsafeMutablePointer<Float> {
            elementCount += max(1, count)
            let pointer = UnsafeMutablePointer<Float>.allocate(capacity: max(1, count))
            pointer.initialize(repeating: 0, count: max(1, count))
            storage.append(pointer)
            return pointer
        }
        let rows = capacity * c.tokens
        let queryRows = capacity * c.chunk
        let (d, f) = (c.width, c.feedForward)
        var layers: [Layer] = []
        for index in 0..<c.layers {
            let isLast = index == c.layers - 1
            let queries = isLast ? queryRows : rows
            let h1 = make(rows * d)
            layers.append(
                Layer(
                    normalised1: make(rows * d),
                    rstd1: make(rows),
                    h1: h1,
                    hq: isLast ? make(queries * d) : h1,
                    q: make(queries * d),
                    kv: make(rows * 2 * d),
                    probabilities: make(capacity * c.heads * (isLast ? c.chunk : c.tokens) * c.tokens),
                    context: make(queries * d),
                    normalised2: make(queries * d),
                    rstd2: make(queries),
                    h2: make(queries * d),
                    f1: make(queries * f),
                    tanh: make(queries * f),
                    f2: make(queries * f)
                )
            )
        }
        self.layers = layers
        x = make(rows * d)
        xq = make(queryRows * d)
        normalised = make(queryRows * d)
        rstd = make(queryRows)
        h = make(queryRows * d)
        output = make(queryRows * c.actionCount)
        doutput = make(queryRows * c.actionCount)
        dx = make(rows * d)
        dxq = make(queryRows * d)
        dh = make(rows * d)
        dhq = make(queryRows * d)
        dq = make(rows * d)
        dkv = make(rows * 2 * d)
        dcontext = make(rows * d)
        df = make(rows * f)
        dprobabilities = make(c.tokens * c.tokens)
        let flows = c.objective == .flowMatching ? 1 : 0
        phi = make(flows * capacity * d)
        timeTokens = make(flows * capacity * d)
        dtimeTokens = make(flows * capacity * d)
        noisy = make(flows * queryRows * c.actionCount)
        down = make(rows * rank)
        ddown = make(rows * rank)
        unwanted = make(2 * d)
        self.storage = storage
        byteCount = elementCount * MemoryLayout<Float>.size
    }

    deinit { for pointer in storage { pointer.deallocate() } }
}
