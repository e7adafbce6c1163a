/* kernel_gelu.h - gelu, for any width of register: the erf form, error below 1.5e-6. Included by
 * kernel_real.h. A kernel may define
 *
 *   KERNEL_LOOKUP(low, high, which)  by lane, number which % 32 of the 32 in two registers of float
 */
#ifdef DIFFUSE_DOUBLE

KERNEL_INLINE vec gelu_of(vec x) {
    for (size_t k = 0; k < KERNEL_LANES; k++)
        x[k] *= 0.5 * (1 + erf(x[k] * M_SQRT1_2));
    return x;
}

#elif defined(KERNEL_LOOKUP)

#define GELU_PIECE 0.171875f

/* |x| (1 - erf(|x| / sqrt 2)) / 2 in pieces: the coefficients of r^0 to r^3, r being the distance
 * from the middle of a piece, and a multiple of GELU_PIECE each middle. */
static const float gelu_pieces[4][32] __attribute__((aligned(64))) = {
    {0,
     0.0742096826f,
     0.125646174f,
     0.156264156f,
     0.169045061f,
     0.167635605f,
     0.155937329f,
     0.137714699f,
     0.116278119f,
     0.0942771584f,
     0.0736141875f,
     0.0554658212f,
     0.0403840169f,
     0.0284418724f,
     0.0193910617f,
     0.0128052896f,
     0.00819432735f,
     0.00508302962f,
     0.00305727799f,
     0.0017833797f,
     0.00100907777f,
     0.000553909049f,
     0.000295008911f,
     0.000152459965f,
     7.64600481e-05f,
     3.72134382e-05f,
     1.75782425e-05f,
     8.059008e-06f,
     3.58620628e-06f,
     1.54899874e-06f,
     6.49443564e-07f,
     2.64312092e-07f},
    {0.50001049f,      0.364205211f,     0.236248642f,     0.122959569f,     0.0293399449f,
     -0.0419195518f,   -0.0905248895f,   -0.118290372f,    -0.128576115f,    -0.125592753f,
     -0.113718264f,    -0.0969418213f,   -0.0784999728f,   -0.0607178025f,   -0.0450250059f,
     -0.0320922881f,   -0.0220275614f,   -0.0145799294f,   -0.00931602158f,  -0.00575113297f,
     -0.00343251508f,  -0.00198171264f,  -0.00110720797f,  -0.000598875806f, -0.000313686935f,
     -0.000159155257f, -7.82360294e-05f, -3.72680661e-05f, -1.72061282e-05f, -7.7003142e-06f,
     -3.34093511e-06f, -1.40543432e-06f},
    {-0.399554342f,   -0.386828333f,   -0.35346821f,    -0.302613765f,   -0.2404477f,
     -0.173988894f,   -0.109932519f,   -0.0536818989f,  -0.00874690432f, 0.0234250072f,
     0.0432282351f,   0.0524114445f,   0.0534785539f,   0.0491215996f,   0.041784931f,
     0.0334043019f,   0.0253144931f,   0.0182859562f,   0.0126380119f,   0.00837944727f,
     0.00534057431f,  0.00327681727f,  0.00193785143f,  0.00110560807f,  0.000609011971f,
     0.000324091292f, 0.000166706945f, 8.29233832e-05f, 3.99026139e-05f, 1.85809404e-05f,
     8.37526113e-06f, 3.65510732e-06f},
    {0.0114062987f,    0.0446175002f,    0.0834673718f,   0.111875914f,     0.127087623f,
     0.128631189f,     0.118172884f,     0.0989425331f,   0.0749198571f,    0.0500041209f,
     0.0273582507f,    0.00903894287f,   -0.00406986987f, -0.0120807737f,   -0.0157872532f,
     -0.0163163859f,   -0.0148326727f,   -0.0123374583f,  -0.00957139581f,  -0.00700144796f,
     -0.0048620142f,   -0.00321989949f,  -0.00204017805f, -0.00123972748f,  -0.000723773497f,
     -0.000406547391f, -0.000219959053f, -0.00011473427f, -5.77423234e-05f, -2.80556651e-05f,
     -1.31675661e-05f, -5.97239659e-06f},
};

/* x where that is positive, else 0, less what the pieces give; no division. */
KERNEL_INLINE vec gelu_of(vec x) {
    vec size = size_of(x), place, r, h;

    size = KERNEL_MIN(all(31.4f * GELU_PIECE), size);
    place = size * (1 / GELU_PIECE) + 0x1.8p23f; /* the nearest middle is in the last bits */
    r = size - (place - 0x1.8p23f) * GELU_PIECE;
#define GELU_TAKE(k)                                                                               \
    KERNEL_LOOKUP(load(gelu_pieces[k]), load(gelu_pieces[k] + KERNEL_LANES), (ivec)place)
    h = r * GELU_TAKE(3) + GELU_TAKE(2);
    h = r * h + GELU_TAKE(1);
    h = r * h + GELU_TAKE(0);
#undef GELU_TAKE
    return KERNEL_MAX(all(0), x) - h;
}

#else

/* x (1 + erf(x / sqrt 2)) / 2. erf is an odd rational function of 13th over 8th degree, fitted to
 * [-4, 4], beyond which it is 1 to the last bit but two. */
KERNEL_INLINE vec gelu_of(vec x) {
    vec z = x * 0.70710678f, q, a, b;

    z = KERNEL_MIN(all(4), z);
    z = KERNEL_MAX(all(-4), z);
    q = z * z;
    a = q * -2.72614225801306e-10f + 2.77068142495902e-08f;
    a = a * q - 2.10102402082508e-06f;
    a = a * q - 5.69250639462346e-05f;
    a = a * q - 7.34990630326855e-04f;
    a = a * q - 2.95459980854025e-03f;
    a = a * q - 1.60960333262415e-02f;
    b = q * -1.45660718464996e-05f - 2.13374055278905e-04f;
    b = b * q - 1.68282697438203e-03f;
    b = b * q - 7.37332916720468e-03f;
    b = b * q - 1.42647390514189e-02f;
    return x * (z * a / b * 0.5f + 0.5f);
}

#endif

KERNEL_INLINE void gelu(size_t n, real *x) {
    for (size_t i = 0; i < n; i += KERNEL_PAD)
        for (size_t j = i; j < i + KERNEL_PAD; j += KERNEL_LANES)
            save(gelu_of(load(x + j)), x + j);
}
